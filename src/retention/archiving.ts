import { removeUnfinished, writeDay } from '#src/archive/index.ts'
import type { Archived } from '#src/store/retention/detach-day.ts'
import type { RetentionContext } from './context.ts'
import type { DayArchive } from './steps.ts'

/** Where days go before they are dropped, as the settings say; null when nowhere. */
export function archiveOf({ place, pool, nowMs, metrics }: RetentionContext): DayArchive | null {
  if (place === null) return null
  return {
    async write(day, signal, onProgress): Promise<Archived> {
      const { key, manifest } = await writeDay(day, { place, pool, nowMs, signal, onProgress })
      metrics.archivedEvents.inc(manifest.events)
      metrics.archivedBytes.inc(manifest.parts.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0))
      return { where: place.urlOf(key), events: manifest.events }
    },
    tidy: (day) => removeUnfinished(place, day),
  }
}
