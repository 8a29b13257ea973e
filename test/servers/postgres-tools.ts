/**
 * A Postgres with pg_dump and pg_restore, which npm's doesn't have: one that this system has installed, else the one fetched
 * earlier, else Debian's own build, not installed.
 */
import { chmodSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PostgresBinaries } from '#src/embedded/postgres-binaries.ts'
import { run } from '#src/embedded/run-command.ts'
import { makeSystemFolder, SYSTEM_FOLDER } from '#src/embedded/system-folder.ts'
import { debianPackages } from './debian-package.ts'

/** From bookworm. */
const PACKAGES = {
  name: 'postgresql-15.18',
  pool: 'http://deb.debian.org/debian/pool/main/p/postgresql-15/',
  files: {
    'postgresql-15_15.18-0+deb12u1_amd64.deb': '6974c43ddec4f383d099e7d642cd59d0af83c2c90c0fb153a4179aa1bb4d73c1',
    'postgresql-client-15_15.18-0+deb12u1_amd64.deb':
      'fc98076d378231baac95d6eae09a3e01730cd706f4d00bbcda6ba580d38355a1',
    'libpq5_15.18-0+deb12u1_amd64.deb': 'baef57c288d7d8c09c84cd461da35d28f981aa71c60448c1d95b52110cc9faf9',
  },
  libraries: [
    ...['libxml2', 'libicu72', 'liblz4-1', 'libldap-2.5-0', 'libsasl2-2', 'libgssapi-krb5-2', 'libkrb5-3'],
    ...['libk5crypto3', 'libkrb5support0', 'libkeyutils1', 'libcom-err2'],
  ],
}

export interface PostgresTools {
  readonly server: PostgresBinaries
  /** Writes a whole database into a file. */
  dump(databaseUrl: string, file: string): Promise<void>
  /** Reads such a file into an empty database. */
  restore(databaseUrl: string, file: string): Promise<void>
}

/** The newest that runs, or in words why there is none. */
export async function findPostgresTools(): Promise<PostgresTools | string> {
  for (const pgDump of globSync('/usr/lib/postgresql/*/bin/pg_dump').sort().reverse()) {
    const found = await runnable(dirname(pgDump))
    if (found !== null) return found
  }
  try {
    const asRoot = process.getuid?.() === 0 // then Postgres runs as somebody who can't reach root's cache
    if (asRoot) makeSystemFolder()
    const { root, libraryPath } = await debianPackages({ ...PACKAGES, ...(asRoot && { folder: SYSTEM_FOLDER }) })
    chmodSync(root, 0o755)
    process.env['LD_LIBRARY_PATH'] = [libraryPath, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':')
    return (
      (await runnable(join(root, 'usr/lib/postgresql/15/bin'))) ?? 'the Postgres fetched from Debian does not run here'
    )
  } catch (error) {
    return `there is no Postgres with pg_dump, and none could be fetched: ${(error as Error).message}`
  }
}

async function runnable(folder: string): Promise<PostgresTools | null> {
  const program = (name: string) => join(folder, name)
  for (const name of ['initdb', 'pg_dump', 'pg_restore']) if (!(await run(program(name), ['--version'])).ok) return null
  const { ok, output } = await run(program('postgres'), ['--version'])
  const major = / (\d+)/.exec(output)?.[1]
  if (!ok || major === undefined) return null
  const doing = async (name: string, args: string[]) => {
    const done = await run(program(name), args)
    if (!done.ok) throw new Error(`${name}: ${done.output}`)
  }
  return {
    server: { initdb: program('initdb'), postgres: program('postgres'), major },
    dump: (databaseUrl, file) => doing('pg_dump', ['--format=custom', `--file=${file}`, databaseUrl]),
    restore: (databaseUrl, file) => doing('pg_restore', ['--exit-on-error', `--dbname=${databaseUrl}`, file]),
  }
}
