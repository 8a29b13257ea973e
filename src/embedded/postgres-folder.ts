/**
 * Where the embedded Postgres keeps its data: in the home, unless we are root and the user that Postgres runs as can't
 * get there (`/root` is closed to all others). Then it lies in /var/lib/millrace and the home holds a link to it.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { HomeUnusable } from './errors.ts'
import { canReach, postgresUser, type RunAs } from './run-as.ts'
import { makeSystemFolder, SYSTEM_FOLDER } from './system-folder.ts'

/**
 * A folder that exists. It is ours; only `data` in it belongs to the user that Postgres runs as: what root writes beside
 * it must not be exchangeable by somebody with fewer rights.
 */
export interface PostgresFolder {
  readonly folder: string
  readonly runAs: RunAs
}

/** @param wanted the folder in the home; its parent exists */
export function preparePostgresFolder(wanted: string, log: (line: string) => void): PostgresFolder {
  const found = lstatSync(wanted, { throwIfNoEntry: false })
  if (found?.isSymbolicLink() === true) return prepareLinked(wanted)
  const runAs = postgresUser(join(wanted, 'data'))
  if (found === undefined) {
    mkdirSync(wanted)
    chmodSync(wanted, runAs === null ? 0o700 : 0o711)
  }
  if (runAs === null || canReach(runAs, wanted)) return { folder: wanted, runAs }
  if (existsSync(join(wanted, 'data'))) {
    throw new HomeUnusable(
      `${wanted} holds a database that user ${runAs.name} can no longer reach: ` +
        'let others pass through the folders above it (chmod a+x), since Postgres refuses to run as root.',
    )
  }
  rmSync(wanted, { recursive: true })
  return { folder: placeElsewhere(wanted, runAs, log), runAs }
}

function prepareLinked(wanted: string): PostgresFolder {
  const folder = readlinkSync(wanted)
  if (!existsSync(folder)) {
    throw new HomeUnusable(
      `The database of this home was in ${folder}, which is gone: put it back, or remove ${wanted}.`,
    )
  }
  return { folder, runAs: postgresUser(join(folder, 'data')) }
}

/**
 * Each home that was begun anew gets a folder of its own: who removes a home means its data, and must not find them
 * again in the next one. What is left of the old one is named, not removed.
 */
function placeElsewhere(wanted: string, runAs: NonNullable<RunAs>, log: (line: string) => void): string {
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 12)
  makeSystemFolder()
  const old = readdirSync(SYSTEM_FOLDER).filter((entry) => entry.startsWith(`${name}-`))
  const folder = mkdtempSync(join(SYSTEM_FOLDER, `${name}-`))
  chmodSync(folder, 0o711)
  symlinkSync(folder, wanted)
  log(`The database lies in ${folder}: user ${runAs.name}, as whom Postgres runs, can't reach ${wanted}.`)
  if (old.length > 0) {
    log(
      `Databases of earlier homes at this path are still in ${SYSTEM_FOLDER} (${old.join(', ')}): remove them if unused.`,
    )
  }
  return folder
}
