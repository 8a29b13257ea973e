/** Valkey for the tests: the one in PATH, else the one fetched earlier, else Debian's own build, not installed. */
import { delimiter, join } from 'node:path'
import { parseVersion, type RedisBinary } from '#src/embedded/redis-binary.ts'
import { run } from '#src/embedded/run-command.ts'
import { debianPackages } from './debian-package.ts'

/** From bookworm-backports. */
const PACKAGES = {
  name: 'valkey-8.0.1',
  pool: 'http://deb.debian.org/debian/pool/main/v/valkey/',
  files: {
    'valkey-server_8.0.1+dfsg1-1~bpo12+1_amd64.deb': '986d97e75766d9b18c56159dd904337ec0a1222977235cad7ba56ddc4fd856eb',
    'valkey-tools_8.0.1+dfsg1-1~bpo12+1_amd64.deb': 'd2c2ea67642fa9571a07138b80ae52ebe566311c952aef25a39c1d5050697853',
  },
  // Beside libc and OpenSSL; there already where a redis-server is.
  libraries: ['libjemalloc2', 'liblzf1', 'libatomic1'],
}

/** A Valkey to start, or in words why there is none. */
export async function findValkey(): Promise<RedisBinary | string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = await runnable(join(folder, 'valkey-server'), null)
    if (found !== null) return found
  }
  try {
    const { root, libraryPath } = await debianPackages(PACKAGES)
    const found = await runnable(join(root, 'usr/bin/valkey-server'), libraryPath)
    return found ?? 'the valkey-server fetched from Debian does not run here'
  } catch (error) {
    return `there is no valkey-server in PATH, and none could be fetched: ${(error as Error).message}`
  }
}

async function runnable(command: string, libraryPath: string | null): Promise<RedisBinary | null> {
  const env = libraryPath === null ? {} : { LD_LIBRARY_PATH: libraryPath }
  const { ok, output } = await run(command, ['--version'], { env })
  const version = ok ? parseVersion(output) : null
  return version === null ? null : { command, libraryPath, version }
}
