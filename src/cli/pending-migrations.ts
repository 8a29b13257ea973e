/** The migrations that a database lacks, for people. */
import type { PendingMigration } from '../store/migrate.ts'
import { counted, shownBytes } from './quantities.ts'
import { table } from './table.ts'

/** A table of them: each one's name, how it is applied, and why it is there. */
export function pendingTable(pending: readonly PendingMigration[]): string {
  return table(
    ['pending', 'how', 'why'],
    pending.map(({ name, why, builds }) => [name, how(builds), why]),
  )
}

function how(builds: PendingMigration['builds']): string {
  if (builds === null) return 'in a transaction'
  return builds
    .map(({ index, tables, bytes }) => `builds ${index} on ${counted(tables, 'table')}, ${shownBytes(bytes)}`)
    .join('; ')
}
