/** `/millrace/archive`: the days that left the log, to be listed, checked and brought back. */
import { Type } from '@sinclair/typebox'
import { listArchive, readManifests, restoreDay, verifyDay } from '#src/archive/index.ts'
import type { RetentionContext } from '#src/retention/context.ts'
import { ArchiveUnset, NotFound } from '../errors.ts'
import { sendProgress } from './progress.ts'
import type { Route } from './route.ts'

const Text = Type.String()
const Day = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$', description: 'As in 2026-11-01, UTC.' })
const Listed = Type.Object({
  days: Type.Array(
    Type.Object({
      day: Text,
      generation: Type.Integer({ description: 'A day may leave in parts; each is archived by itself.' }),
      events: Type.Integer(),
      bytes: Type.Integer({ description: 'Of the lines.' }),
      gzipBytes: Type.Integer(),
      parts: Type.Integer(),
      oldest: Type.Union([Text, Type.Null()]),
      newest: Type.Union([Text, Type.Null()]),
      writtenAt: Text,
      url: Text,
    }),
  ),
})
const HOLD_MS = { minimum: 60_000, maximum: 315_360_000_000, default: 604_800_000 }

export const archive: Route<RetentionContext> = (app, { place: configured, pool, nowMs, log }) => {
  const tags = ['retention']
  const place = () => {
    if (configured === null) throw new ArchiveUnset()
    return configured
  }
  const manifestsOf = async (day: string | undefined) => {
    const manifests = (await readManifests(place(), day)).map(({ manifest }) => manifest)
    if (manifests.length === 0 && day !== undefined) throw new NotFound(`Nothing of ${day} is archived.`)
    return manifests
  }
  app.get(
    '/millrace/archive',
    { schema: { tags, summary: 'Every archived day', response: { 200: Listed } } },
    async () => ({ days: await listArchive(place()) }),
  )
  app.post(
    '/millrace/archive/verify',
    {
      schema: {
        tags,
        summary: 'Read archived days and compare them with their manifests; a line of JSON for each',
        body: Type.Object({ day: Type.Optional(Day) }, { additionalProperties: false }),
      },
    },
    async ({ body: { day } }, reply) => {
      const manifests = await manifestsOf(day)
      return sendProgress(reply, log, async (onStep, signal) => {
        let damaged = 0
        for (const manifest of manifests) {
          signal.throwIfAborted()
          const problem = await verifyDay(place(), manifest, signal)
          if (problem !== null) damaged++
          onStep({
            step: 'verified',
            day: manifest.day,
            generation: manifest.generation,
            events: manifest.events,
            problem,
          })
        }
        return { days: manifests.length, damaged }
      })
    },
  )
  app.post(
    '/millrace/archive/restore',
    {
      schema: {
        tags,
        summary: 'Bring a day back into the log for a while; lines of JSON with the progress',
        body: Type.Object({ day: Day, forMs: Type.Integer(HOLD_MS) }, { additionalProperties: false }),
      },
    },
    async ({ body: { day, forMs } }, reply) => {
      const manifests = await manifestsOf(day)
      const total = manifests.reduce((sum, { events }) => sum + events, 0)
      return sendProgress(reply, log, async (onStep, signal) => {
        const onProgress = (events: number) => onStep({ step: 'restored', events, total })
        const done = await restoreDay(manifests, { place: place(), pool, nowMs, forMs, signal, onProgress })
        log.info({ day, ...done }, 'a day was brought back from the archive')
        return done
      })
    },
  )
}
