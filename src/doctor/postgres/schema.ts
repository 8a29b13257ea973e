/** What the database lacks of this release, and indexes that can't be used. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { migrationFiles } from '#src/store/schema/files.ts'
import { readStatus } from '#src/store/schema/status.ts'
import { type Finding, millrace } from '../finding.ts'

export async function schema(db: Queryable): Promise<Finding[]> {
  const { current, pending, tooNew, changed, unfinished } = await readStatus(db, migrationFiles())
  const findings: Finding[] = []
  if (tooNew) {
    const what = `it is at migration ${current}, which this release doesn't know: run the newer release`
    findings.push({
      check: 'schema-too-new',
      level: 'critical',
      subject: 'database',
      what,
      remedy: millrace('--version'),
    })
  }
  if (changed.length > 0) {
    const what = `${changed.join(', ')} had other contents when it was applied: another release made it`
    const remedy = millrace(`database stamp ${changed.join(' ')}   # only if both are known to do the same`)
    findings.push({ check: 'schema-changed', level: 'critical', subject: 'database', what, remedy })
  }
  if (pending.length > 0) {
    const what = `it lacks ${pending.map(({ name }) => name).join(', ')}`
    findings.push({
      check: 'schema-outdated',
      level: 'warning',
      subject: 'database',
      what,
      remedy: millrace('database upgrade -y'),
    })
  }
  const command = pending.length > 0 ? 'database upgrade -y' : 'database repair -y'
  for (const { index, table, state } of unfinished) {
    if (state === 'building') continue
    const why = state === 'partial' ? `some partitions of ${table} lack it` : `its building on ${table} was interrupted`
    const what = `no query can use it: ${why}`
    findings.push({
      check: 'invalid-index',
      level: 'warning',
      subject: `index ${index}`,
      what,
      remedy: millrace(command),
    })
  }
  return findings
}
