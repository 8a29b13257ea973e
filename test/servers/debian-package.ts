/** Programs of Debian for the tests, checked by their hash and unpacked into the cache folder without installing anything. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheFolder } from '#src/embedded/cache-folder.ts'
import { run } from '#src/embedded/run-command.ts'

export interface DebianPackages {
  /** Folder in the cache, with the version in its name. */
  readonly name: string
  /** URL of the folder with the packages. */
  readonly pool: string
  /** SHA-256 by file name; the hashes are those of the archive's package list. */
  readonly files: Readonly<Record<string, string>>
  /** Packages with what they link to, as this system's archive has them; those it doesn't have are there already. */
  readonly libraries: readonly string[]
  /** Where to unpack them; default: the cache folder. */
  readonly folder?: string
}

export interface Unpacked {
  readonly root: string
  /** For LD_LIBRARY_PATH. */
  readonly libraryPath: string
}

const TIMEOUT_MS = 60_000

/** Those unpacked earlier, else fetched now. @throws Error that says in words why they can't be had */
export async function debianPackages(packages: DebianPackages): Promise<Unpacked> {
  const root = join(packages.folder ?? cacheFolder(), packages.name)
  if (!existsSync(root)) await fetchInto(root, packages)
  const folders = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
  return { root, libraryPath: folders.map((folder) => join(root, folder)).join(':') }
}

/** Beside the place and then moved there whole: a run killed here leaves nothing half-done. */
async function fetchInto(place: string, { pool, files, libraries }: DebianPackages): Promise<void> {
  mkdirSync(dirname(place), { recursive: true })
  const work = mkdtempSync(`${place}.`)
  try {
    mkdirSync(join(work, 'root'))
    for (const [name, hash] of Object.entries(files)) {
      const answer = await fetch(pool + name, { signal: AbortSignal.timeout(TIMEOUT_MS) })
      if (!answer.ok) throw new Error(`${pool}${name} answered ${answer.status}`)
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (createHash('sha256').update(bytes).digest('hex') !== hash) throw new Error(`${name} has another hash`)
      writeFileSync(join(work, name), bytes)
    }
    for (const name of libraries) await run('apt-get', ['download', name], { cwd: work })
    const unpacking = await run('sh', ['-c', 'for deb in *.deb; do dpkg -x "$deb" root; done'], { cwd: work })
    if (!unpacking.ok) throw new Error(unpacking.output)
    renameSync(join(work, 'root'), place)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
