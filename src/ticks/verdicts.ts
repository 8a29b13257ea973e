/** Writes verdicts to the ledger, all that have come in since the last statement at once. */
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import { decide, type Verdict } from '#src/store/tick/hold.ts'
import { storeError } from '#src/store/unavailable.ts'

export interface Verdicts {
  /** True once it is written; false when the tick was taken by somebody else. Waits for Postgres for as long as it takes. */
  write(verdict: Verdict): Promise<boolean>
  /** From now on gives up when Postgres does not answer. */
  hurry(): void
}

const MOST = 1_000
const AGAIN_MS = 250

export function createVerdicts(pool: Pool, log: Log): Verdicts {
  const waiting: { readonly verdict: Verdict; settle(written: boolean): void }[] = []
  let writing = false
  let hurried = false
  let said = false

  async function flush(): Promise<void> {
    writing = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MOST)
      for (;;) {
        try {
          const written = new Set(
            await decide(
              pool,
              batch.map(({ verdict }) => verdict),
            ),
          )
          for (const { verdict, settle } of batch) settle(written.has(verdict))
          said = false
          break
        } catch (error) {
          if (!said)
            log.warn({ reason: (storeError(error) as Error).message }, 'outcomes of ticks can not be written yet')
          said = true
          if (hurried) {
            for (const { settle } of batch) settle(false)
            break
          }
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
        }
      }
    }
    writing = false
  }

  return {
    write: (verdict) =>
      new Promise((settle) => {
        waiting.push({ verdict, settle })
        if (!writing) setImmediate(() => writing || void flush())
      }),
    hurry() {
      hurried = true
    },
  }
}
