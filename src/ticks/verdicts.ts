/** Writes verdicts to the ledger, all that have come in since the last statement at once. */
import type { Pool } from 'pg'
import { AppError } from '#src/errors.ts'
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

interface Waiting {
  readonly verdict: Verdict
  settle(written: boolean): void
}

/** SQLSTATE's data exceptions, violated constraints, statements that can't be, limits of the program. */
const OF_THE_DATA = /^(22|23|42|54)/

/** Whether trying again won't help: what is to be written can't be, rather than that Postgres can't take it now. */
function isOfTheData(error: unknown): boolean {
  if (error instanceof AppError) return false
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? OF_THE_DATA.test(code) : true
}

export function createVerdicts(pool: Pool, log: Log): Verdicts {
  const waiting: Waiting[] = []
  let writing = false
  let hurried = false
  let said = false

  async function flush(): Promise<void> {
    writing = true
    while (waiting.length > 0) await writeAll(waiting.splice(0, MOST))
    writing = false
  }

  async function writeAll(batch: readonly Waiting[]): Promise<void> {
    for (;;) {
      const error = await attempt(batch)
      if (error === null) return
      if (isOfTheData(error)) return apart(batch, error)
      if (!said) log.warn({ reason: (error as Error).message }, 'outcomes of ticks can not be written yet')
      said = true
      if (hurried) {
        for (const { settle } of batch) settle(false)
        return
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }

  async function attempt(batch: readonly Waiting[]): Promise<unknown> {
    try {
      const verdicts = batch.map(({ verdict }) => verdict)
      const written = new Set(await decide(pool, verdicts))
      for (const { verdict, settle } of batch) settle(written.has(verdict))
      said = false
      return null
    } catch (error) {
      return storeError(error)
    }
  }

  /** One of them can't be written: it is found by halves, so that it stops no other, and fails its tick. */
  async function apart(batch: readonly Waiting[], error: unknown): Promise<void> {
    const [only] = batch
    if (only !== undefined && batch.length === 1) return failed(only, (error as Error).message)
    const half = Math.ceil(batch.length / 2)
    await writeAll(batch.slice(0, half))
    await writeAll(batch.slice(half))
  }

  async function failed({ verdict, settle }: Waiting, reason: string): Promise<void> {
    const { job, scheduledForMs } = verdict
    log.error({ job, scheduledForMs, reason }, 'the outcome of a tick can not be written: the tick fails')
    const instead = { ...verdict, state: 'failed', reason: 'its outcome could not be written', result: null } as const
    await attempt([{ verdict: instead, settle }]).then((error) => error === null || settle(false))
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
