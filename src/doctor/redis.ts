/** What is wrong with the servers of Redis, by what they say of themselves. */
import type { ServerFacts } from '#src/bus/index.ts'
import { type Finding, type Limits, millrace, redisCli } from './finding.ts'

/** The first with Streams as they are used here. */
const OLDEST_MAJOR = 7

export function redisFindings(facts: ServerFacts, limits: Limits): Finding[] {
  const subject = `redis ${facts.address}`
  const findings: Finding[] = []
  const add = (check: string, level: Finding['level'], what: string, remedy: string) =>
    findings.push({ check, level, subject, what, remedy })
  const set = (...words: string[]) => `${redisCli('config', 'set', ...words)} && ${redisCli('config', 'rewrite')}`

  if (Number.parseInt(facts.version, 10) < OLDEST_MAJOR)
    add(
      'redis-version',
      'critical',
      `it is ${facts.version}, and ${OLDEST_MAJOR}.0 is the oldest that is used`,
      'redis-server --version',
    )
  if (facts.policy !== 'noeviction')
    add(
      'redis-policy',
      'critical',
      `maxmemory-policy is ${facts.policy}: it throws events away when memory is short`,
      set('maxmemory-policy', 'noeviction'),
    )
  if (!facts.appendOnly)
    add(
      'redis-aof',
      'critical',
      'it keeps no append-only file: a restart loses every event that is not in Postgres yet',
      set('appendonly', 'yes'),
    )
  else if (facts.appendFsync === 'no')
    add(
      'redis-fsync',
      'warning',
      'appendfsync is no: a crash of the machine loses what was appended in the last half a minute',
      set('appendfsync', 'always'),
    )
  if (facts.appendOnly && facts.rewritePercent === 0)
    add(
      'redis-rewrite',
      'warning',
      'its append-only file is never rewritten: it grows for ever, as trimming does not shorten it',
      set('auto-aof-rewrite-percentage', '100'),
    )
  if (!facts.lastWriteOk)
    add(
      'redis-aof-failed',
      'critical',
      'it could not write its append-only file: is the disk full?',
      redisCli('info', 'persistence'),
    )
  if (!facts.lastRewriteOk)
    add(
      'redis-rewrite-failed',
      'warning',
      'its last rewrite of the append-only file failed: its log says why',
      redisCli('bgrewriteaof'),
    )
  return [...findings, ...memoryFindings(facts, subject, limits)]
}

function memoryFindings({ maxMemory, usedMemory }: ServerFacts, subject: string, limits: Limits): Finding[] {
  if (maxMemory === 0) {
    const what = 'maxmemory is not set: senders are not told to wait before the machine has no memory left'
    const remedy = `${redisCli('config', 'set', 'maxmemory', '2gb')}   # what it may have; then config rewrite`
    return [{ check: 'redis-maxmemory', level: 'warning', subject, what, remedy }]
  }
  const share = usedMemory / maxMemory
  if (share < limits.memoryShare) return []
  const what = `${Math.round(share * 100)} % of its memory is used; from ${limits.memoryShare * 100} % on senders are refused. Who holds the entries back, or raise maxmemory`
  const level = share < limits.fullShare ? 'warning' : 'critical'
  return [{ check: 'redis-memory', level, subject, what, remedy: millrace('streams ls') }]
}
