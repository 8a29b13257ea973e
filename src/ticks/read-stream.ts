/** Reads ticks from the stream, and settles the entries of those that the ledger has. */
import type { TickEntry, TickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import { BY_SCHEDULE, keyText, type TickKey } from '#src/store/tick/key.ts'
import type { InHand } from './in-hand.ts'
import { type Loop, startLoop } from './loop.ts'
import type { Take } from './take.ts'

/** Small enough that several processes share what comes due at one instant. */
const MOST_READ = 100
const MOST_CLAIMS = 2
const BLOCK_MS = 5_000
/** Entries that somebody read and did not settle: it died in between, or Postgres is away. */
const ADOPT_AFTER_MS = 3_000

export interface StreamReading {
  readonly loops: readonly Loop[]
  /** Resolves when what was read is dealt with. */
  idle(): Promise<void>
}

export function startStreamReading(
  owner: string,
  stream: TickStream,
  take: Take,
  inHand: InHand,
  log: Log,
  onTrouble: () => void,
): StreamReading {
  /** Those that can't be taken now stay in the stream, and are adopted later. */
  async function takeEntries(entries: readonly TickEntry[]): Promise<void> {
    if (entries.length === 0) return
    await inHand.claiming(entries.length, async () => {
      const settled = new Set(await take.fresh(entries.map(keyFor)))
      const ids = entries.filter((entry) => settled.has(keyText(keyFor(entry)))).map(({ id }) => id)
      if (ids.length > 0) await stream.settle(ids)
    })
  }

  // While one batch is claimed the next one is read: a round trip to each server would otherwise pass between them.
  const claims = new Set<Promise<void>>()
  let failure: Error | null = null
  const read = async (signal: AbortSignal) => {
    if (failure !== null) {
      const error = failure
      failure = null
      throw error // so that a Postgres that is away is not asked again and again
    }
    if (claims.size >= MOST_CLAIMS) await Promise.race(claims)
    if (inHand.free() <= 0) await inHand.someFree(signal)
    if (signal.aborted) return 0
    const count = Math.min(MOST_READ, Math.max(1, inHand.free()))
    const entries = await stream.read(owner, count, BLOCK_MS)
    const claim = takeEntries(entries)
      .catch((error: Error) => {
        failure = error
      })
      .finally(() => claims.delete(claim))
    claims.add(claim)
    return 0
  }
  const reading = startLoop('tick-reader', log, read, { onTrouble })

  const adopting = startLoop('tick-adopter', log, async () => {
    const count = inHand.free()
    if (count > 0) await takeEntries(await stream.adopt(owner, ADOPT_AFTER_MS, count))
    return ADOPT_AFTER_MS
  })

  return {
    loops: [reading, adopting],
    async idle() {
      while (claims.size > 0) await Promise.allSettled(claims)
    },
  }
}

function keyFor({ job, scheduledForMs }: TickEntry): TickKey {
  return { job, scheduledForMs, origin: BY_SCHEDULE }
}
