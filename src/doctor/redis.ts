/** What is wrong with the servers of Redis that keep the events, by what they say of themselves. */
import type { ServerFacts } from '#src/bus/index.ts'
import { type Finding, type Limits, millrace, type RedisCli } from './finding.ts'

/** The first with Streams as they are used here. */
const OLDEST_MAJOR = 7

export function redisFindings(facts: ServerFacts, cli: RedisCli, limits: Limits): Finding[] {
  const subject = `redis ${facts.address}`
  const findings: Finding[] = []
  const add = (check: string, level: Finding['level'], what: string, remedy: string) =>
    findings.push({ check, level, subject, what, remedy })
  const set = (...words: string[]) => settingIt(cli, ...words)

  const old = tooOld(facts)
  if (old !== null) add('redis-version', 'critical', old, 'redis-server --version')
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
      cli('info', 'persistence'),
    )
  if (!facts.lastRewriteOk)
    add(
      'redis-rewrite-failed',
      'warning',
      'its last rewrite of the append-only file failed: its log says why',
      cli('bgrewriteaof'),
    )
  return [...findings, ...memoryFindings(facts, subject, cli, limits)]
}

/** A setting that holds now, and after a restart. */
export function settingIt(cli: RedisCli, ...words: readonly string[]): string {
  return `${cli('config', 'set', ...words)} && ${cli('config', 'rewrite')}`
}

/** That a server is too old, in words; null when it isn't. */
export function tooOld({ version }: ServerFacts): string | null {
  return Number.parseInt(version, 10) < OLDEST_MAJOR
    ? `it is ${version}, and ${OLDEST_MAJOR}.0 is the oldest that is used`
    : null
}

function memoryFindings(
  { maxMemory, usedMemory }: ServerFacts,
  subject: string,
  cli: RedisCli,
  limits: Limits,
): Finding[] {
  if (maxMemory === 0) {
    const what = 'maxmemory is not set: senders are not told to wait before the machine has no memory left'
    const remedy = `${cli('config', 'set', 'maxmemory', '2gb')}   # what it may have; then config rewrite`
    return [{ check: 'redis-maxmemory', level: 'warning', subject, what, remedy }]
  }
  const share = usedMemory / maxMemory
  if (share < limits.memoryShare) return []
  const what = `${Math.round(share * 100)} % of its memory is used; from ${limits.memoryShare * 100} % on senders are refused. Who holds the entries back, or raise maxmemory`
  const level = share < limits.fullShare ? 'warning' : 'critical'
  return [{ check: 'redis-memory', level, subject, what, remedy: millrace('streams ls') }]
}
