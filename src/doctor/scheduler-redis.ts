/**
 * What is wrong with a Redis that the scheduler has for itself. It holds a few kilobytes, and nothing that Postgres couldn't
 * give again: what is lost here makes ticks late, so nothing is critical, and no append-only file is asked for.
 */
import type { ServerFacts } from '#src/bus/index.ts'
import type { Finding, Limits, RedisCli } from './finding.ts'
import { settingIt, tooOld } from './redis.ts'

export function schedulerRedisFindings(facts: ServerFacts, cli: RedisCli, { memoryShare }: Limits): Finding[] {
  const findings: Finding[] = []
  const add = (check: string, what: string, remedy: string) =>
    findings.push({ check, level: 'warning', subject: `the scheduler's redis ${facts.address}`, what, remedy })
  const old = tooOld(facts)
  if (old !== null) add('redis-version', old, 'redis-server --version')
  if (facts.policy !== 'noeviction')
    add(
      'redis-policy',
      `maxmemory-policy is ${facts.policy}: when memory is short it forgets what is due, and ticks come late`,
      settingIt(cli, 'maxmemory-policy', 'noeviction'),
    )
  const share = facts.maxMemory === 0 ? 0 : facts.usedMemory / facts.maxMemory
  if (share >= memoryShare) {
    const used = `${Math.round(share * 100)} % of its memory is used, which is little of Millrace's doing`
    add('redis-memory', `${used}: when it is full ticks come late, by way of Postgres`, cli('info', 'memory'))
  }
  if (!facts.lastWriteOk)
    add(
      'redis-aof-failed',
      'it could not write its append-only file, and refuses writes until it can: is the disk full?',
      cli('info', 'persistence'),
    )
  return findings
}
