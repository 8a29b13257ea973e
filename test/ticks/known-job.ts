/** Versions of jobs as the catalog has them, for tests of what is computed from them alone. */
import { readPolicy, type ScheduleSpec } from '#src/scheduler/index.ts'
import { type KnownVersion, readyVersion } from '#src/ticks/catalog.ts'

export function knownVersion(
  spec: ScheduleSpec,
  policy: Parameters<typeof readPolicy>[0] = {},
  change: Partial<KnownVersion> = {},
): KnownVersion {
  const version = readyVersion({
    ...{ job: 'known', version: 1, cause: 'defined', state: 'active', spec, policy: readPolicy(policy) },
    ...{ hash: 'h', actor: 'test', tzVersion: '2026a', validFromMs: 0 },
  })
  if (version === null) throw new Error('no such version')
  return { ...version, ...change }
}
