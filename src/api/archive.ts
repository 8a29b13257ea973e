/** `/millrace/archive`: the days that left the log, to be listed, checked and brought back. */
import { Type } from '@sinclair/typebox'
import { findLacking, listArchive, readArchive, restoreDay, verifyArchive } from '#src/archive/index.ts'
import type { RetentionContext } from '#src/retention/context.ts'
import { archivedDays } from '#src/store/retention/archived-day.ts'
import { storeError } from '#src/store/unavailable.ts'
import { ArchiveUnset, NotFound } from '../errors.ts'
import { sendProgress } from './progress.ts'
import type { Route } from './route.ts'

const Text = Type.String()
const Day = Type.String({ format: 'date', description: 'As in 2026-11-01, UTC.' })
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
  unreadable: Type.Array(Type.Object({ url: Text, problem: Text }), { description: 'Manifests that are damaged.' }),
})
const HOLD_MS = { minimum: 60_000, maximum: 315_360_000_000, default: 604_800_000 }

export const archive: Route<RetentionContext> = (app, { place: configured, pool, nowMs, log }) => {
  const tags = ['retention']
  const place = () => {
    if (configured === null) throw new ArchiveUnset()
    return configured
  }
  /** What the archive has, of one day or of all, and what it should have. */
  const look = async (day?: string) => {
    // In this order: a day that is archived at this moment is in the database last.
    const expected = await archivedDays(pool, day ?? null).catch((error: unknown) => {
      throw storeError(error)
    })
    const contents = await readArchive(place(), day)
    if (day !== undefined && contents.stored.length + contents.unreadable.length + expected.length === 0)
      throw new NotFound(`Nothing of ${day} is archived.`)
    return { contents, expected }
  }
  app.get(
    '/millrace/archive',
    { schema: { tags, summary: 'Every archived day', response: { 200: Listed } } },
    async () => listArchive(place()),
  )
  app.post(
    '/millrace/archive/verify',
    {
      schema: {
        tags,
        summary:
          'Read archived days and compare them with their manifests, and with what was dropped; a line of JSON for each',
        body: Type.Object({ day: Type.Optional(Day) }, { additionalProperties: false }),
      },
    },
    async ({ body: { day } }, reply) => {
      const { contents, expected } = await look(day)
      return sendProgress(reply, log, async (onStep, signal) => {
        let [days, damaged] = [0, 0]
        for await (const verified of verifyArchive(place(), contents, expected, signal)) {
          days++
          if (verified.problem !== null) damaged++
          onStep({ step: 'verified', ...verified })
        }
        return { days, damaged }
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
      const { contents, expected } = await look(day)
      const [lacking] = findLacking(contents, expected)
      if (lacking !== undefined) throw lacking.damage // a part of a day would look like all of it
      const manifests = contents.stored.map(({ manifest }) => manifest)
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
