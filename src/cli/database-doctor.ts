/** `millrace database doctor`: what is wrong with Postgres and Redis, and what mends it. */
import { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { createLog } from '../log.ts'
import { configuredDatabase } from './database.ts'
import { ExitWith } from './failure.ts'
import { counted, shownBytes, shownCount } from './quantities.ts'
import { loadDoctor } from './rooms.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

/** Beside 0 for well, 1 for a failure of the command itself and 2 for a wrong call. */
const EXIT = { warning: 3, critical: 4 } as const
/** Tables shown to people. */
const LARGEST = 10

const EXAMPLES = `
It looks at sizes, bloat, dead rows, autovacuum, indexes, days of the log, transactions, settings, memory and clocks, and
changes nothing. It needs no running server of Millrace: it asks MILLRACE_DATABASE_URL, MILLRACE_REDIS_URL and, where it is
set, MILLRACE_SCHEDULER_REDIS_URL themselves.

Exit code: 0 all is well, 3 the worst finding is a warning, 4 it is critical; 1 and 2 as for every command.

Examples:
  $ millrace database doctor
  $ millrace database doctor --json | jq -r '.findings[].remedy'`

export function databaseDoctorCommand(terminal: Terminal): Command {
  return new Command('doctor')
    .description('say what is wrong with Postgres and Redis, and which command mends it')
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json }: { json?: true }) => {
      const { url, shown, settings } = configuredDatabase(terminal)
      const { examine } = await loadDoctor()
      const { redis, scheduler, database } = settings
      const { tlsCaFile } = redis
      const { findings, sizes } = await examine({
        databaseUrl: url,
        redis: redis.url === null ? null : { url: redis.url, tlsCaFile },
        ...(scheduler.redisUrl !== null &&
          scheduler.redisUrl !== redis.url && {
            schedulerRedis: { url: scheduler.redisUrl, tlsCaFile, setting: 'MILLRACE_SCHEDULER_REDIS_URL' },
          }),
        nowMs: systemClock.nowMs,
        timeoutMs: database.timeoutMs,
        log: createLog('silent'),
      })
      if (json) await terminal.print(JSON.stringify({ database: shown, findings, sizes }, null, 2))
      else await show(terminal, shown, findings, sizes)
      if (redis.url === null) terminal.note('MILLRACE_REDIS_URL is unset: Redis was not looked at.')
      const worst = findings[0]?.level
      if (worst !== undefined) throw new ExitWith(EXIT[worst])
    })
}

type Diagnosis = Awaited<ReturnType<Awaited<ReturnType<typeof loadDoctor>>['examine']>>

async function show(
  { print }: Terminal,
  database: string,
  findings: Diagnosis['findings'],
  sizes: Diagnosis['sizes'],
): Promise<void> {
  if (sizes.length > 0) {
    const rows = sizes
      .slice(0, LARGEST)
      .map(({ table, rows, bytes, indexBytes }) => [table, shownCount(rows), shownBytes(bytes), shownBytes(indexBytes)])
    const total = sizes.reduce((sum, { totalBytes }) => sum + totalBytes, 0)
    await print(table(['largest tables', 'rows', 'size', 'indexes'], rows))
    await print(`${database}: ${counted(sizes.length, 'table')}, ${shownBytes(total)}.\n`)
  }
  for (const { level, check, subject, what, remedy } of findings)
    await print(`${level.toUpperCase()} ${check}: ${subject}\n  ${what}\n  $ ${remedy}\n`)
  const critical = findings.filter(({ level }) => level === 'critical').length
  if (findings.length === 0) await print('All is well.')
  else await print(`${critical} critical, ${counted(findings.length - critical, 'warning')}.`)
}
