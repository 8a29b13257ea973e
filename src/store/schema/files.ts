/** The migrations of this release, as files: what each is called, why it is there, and how it is applied. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { type IndexToBuild, parseIndexes } from './index-statement.ts'

/** Where the migrations are. Tests have folders of their own. */
export const MIGRATIONS = new URL('../../../migrations/', import.meta.url)

/** `NNNN_what.sql` is run in a transaction; the indexes of `NNNN_what.index.sql` are built while the table is in use. */
export interface MigrationFile {
  /** `0001_event_log`: what the database remembers it by. */
  readonly name: string
  /** The first comment of its file. */
  readonly why: string
  readonly sql: string
  /** Of its contents, however its lines end. */
  readonly checksum: string
  /** Null for one that is run in a transaction. */
  readonly indexes: readonly IndexToBuild[] | null
}

const FILE = /^(\d{4}_[a-z0-9_]+)(\.index)?\.sql$/

/** All of them, in the order in which they are applied. */
export function migrationFiles(folder: URL = MIGRATIONS): MigrationFile[] {
  return readdirSync(folder)
    .map((file) => FILE.exec(file))
    .filter((match) => match !== null)
    .map(([file, name = '', index]) => read(folder, file, name, index !== undefined))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function read(folder: URL, file: string, name: string, concurrently: boolean): MigrationFile {
  const sql = readFileSync(new URL(file, folder), 'utf8').replaceAll('\r\n', '\n')
  const [first = ''] = sql.split('\n')
  return {
    name,
    why: first.replace(/^--\s*/, ''),
    sql,
    checksum: createHash('sha256').update(sql).digest('hex'),
    indexes: concurrently ? parseIndexes(sql, file) : null,
  }
}
