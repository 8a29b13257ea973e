/** Whether this machine, Redis and Postgres agree what time it is. */
import type { ClockDifference } from '#src/clock.ts'
import type { Finding, Limits } from './finding.ts'

/** A clock, compared with this machine's. */
export interface ComparedClock extends ClockDifference {
  readonly of: string
}

const HERE: ComparedClock = { of: 'this machine', aheadMs: 0, uncertainMs: 0 }

/** A finding for each two that differ for sure, whichever of them is wrong. */
export function clockFindings(compared: readonly ComparedClock[], { clockMs }: Limits): Finding[] {
  const clocks = [HERE, ...compared]
  return clocks.flatMap((one, i) =>
    clocks.slice(i + 1).flatMap((other): Finding[] => {
      const apart = other.aheadMs - one.aheadMs
      if (Math.abs(apart) - one.uncertainMs - other.uncertainMs < clockMs) return []
      const [late, early] = apart > 0 ? [one, other] : [other, one]
      return [
        {
          check: 'clocks',
          level: 'warning',
          subject: `clocks of ${one.of} and ${other.of}`,
          what: `that of ${early.of} is ${Math.round(Math.abs(apart))} ms ahead of that of ${late.of}: ages, lags and schedules are wrong by it`,
          remedy: 'timedatectl set-ntp true   # on both; timedatectl shows which of them is synchronised',
        },
      ]
    }),
  )
}
