/** `POST /events`: events come in, as a batch in Prefect's envelope or as CloudEvents. */
import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { type EventBatch, MalformedBatch, parseEventArray } from '#src/events/batch.ts'
import { parseCloudEvents } from '#src/events/cloudevents.ts'
import { Verdict } from '#src/events/event.ts'
import { CloudEventSchema, EventSchema } from '#src/events/schema.ts'
import { BatchInvalid, BodyTooLarge, Overloaded } from '../errors.ts'
import type { Door, Metrics } from '../metrics.ts'
import type { Ingest } from './ingest.ts'
import type { Api } from './route.ts'
import { compileValidator } from './validation.ts'

export interface EventIngestNeeds {
  readonly ingest: Ingest
  readonly maxBatchEvents: number
  readonly metrics: Metrics
  readonly nowMs: () => number
}

/** Bytes of bodies that may be in memory at once; a sender beyond them is told to come again. */
const MAX_BODIES_BYTES = 256 * 1024 * 1024

const Query = Type.Object({
  partial: Type.Optional(Type.Boolean({ description: 'Take the good events and answer 207 with a verdict for each.' })),
  ack: Type.Optional(
    Type.Union([Type.Literal('appended'), Type.Literal('persisted')], {
      description: 'Answer when the events are in Redis (the default), or when they are committed in Postgres.',
    }),
  ),
})

const schema = {
  tags: ['events'],
  summary: 'Take events in',
  description:
    'A JSON array of events; or CloudEvents 1.0 in structured, batched or binary mode. One wrong event refuses the whole batch, unless `partial` is set.',
  querystring: Query,
  body: {
    content: {
      'application/json': { schema: Type.Array(EventSchema) },
      'application/cloudevents+json': { schema: CloudEventSchema },
      'application/cloudevents-batch+json': { schema: Type.Array(CloudEventSchema) },
    },
  },
  response: {
    204: Type.Null({ description: 'All are taken.' }),
    207: Type.Array(Verdict, { description: 'With `partial`: a verdict for each event, in order.' }),
  },
}

export function eventIngest(app: Api, { ingest, maxBatchEvents, metrics, nowMs }: EventIngestNeeds): void {
  const bodies = { items: 0, bytes: 0 }
  metrics.queues.watch('bodies', () => bodies)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  // The body stays bytes; the schema is for the description of the API, the envelope is checked by `events/check.ts`.
  app.post(
    '/events',
    {
      schema,
      validatorCompiler: (part) =>
        part.httpPart === 'body'
          ? () => true
          : compileValidator({ ...part, schema: part.schema as unknown as TSchema }),
      // Before the body is read: who is to be sent away is sent away at once.
      onRequest: async (request, reply) => {
        ingest.check()
        // A body that doesn't say how long it is may be as long as any.
        const maxBytes = request.routeOptions.bodyLimit
        const bytes = Number(request.headers['content-length'] ?? maxBytes)
        if (bytes > maxBytes) throw new BodyTooLarge({ maxBytes }) // coming again would not help
        if (bodies.bytes + bytes > MAX_BODIES_BYTES) {
          metrics.refusedRequests.inc({ reason: 'large_bodies' })
          throw new Overloaded('Too many large bodies at once; send the same again in 1 s.', { retryAfterMs: 1_000 })
        }
        bodies.items++
        bodies.bytes += bytes
        reply.raw.once('close', () => {
          bodies.items--
          bodies.bytes -= bytes
        })
      },
    },
    async (request, reply) => {
      const { partial = false, ack = 'appended' } = request.query as {
        partial?: boolean
        ack?: 'appended' | 'persisted'
      }
      const { batch, door } = parse(request, ingest, nowMs())
      if (batch.verdicts.length > maxBatchEvents) {
        throw new BatchInvalid(`A batch may have ${maxBatchEvents} events, this one has ${batch.verdicts.length}.`, {
          events: [
            {
              index: maxBatchEvents,
              id: null,
              problems: [`a batch may have ${maxBatchEvents} events, this one has ${batch.verdicts.length}`],
            },
          ],
        })
      }
      if (!partial) refuseIfAnyIsWrong(batch, door, metrics)
      const verdicts = await ingest.take(batch, door, ack)
      if (partial) return reply.code(207).send([...verdicts])
      return reply.code(204).send(null)
    },
  )
}

function parse(request: FastifyRequest, { limits }: Ingest, nowMs: number): { batch: EventBatch; door: Door } {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  try {
    const cloudEvents = parseCloudEvents(
      { contentType: request.headers['content-type'] ?? '', headers: request.headers, body },
      limits,
      nowMs,
    )
    if (cloudEvents !== null) return { batch: cloudEvents, door: 'cloudevents' }
    return { batch: parseEventArray(body, limits, nowMs), door: 'http' }
  } catch (error) {
    if (!(error instanceof MalformedBatch)) throw error
    throw new BatchInvalid(
      error.message,
      { events: [{ index: 0, id: null, problems: [error.message] }] },
      { cause: error },
    )
  }
}

/** Those that are right are not counted: they come again. */
function refuseIfAnyIsWrong({ verdicts }: EventBatch, door: Door, metrics: Metrics): void {
  const events = verdicts.flatMap(({ id, status, reason }, index) => {
    if (status !== 'invalid' && status !== 'expired') return []
    metrics.events.inc({ door, verdict: status })
    return [{ index, id, problems: [reason ?? status] }]
  })
  if (events.length > 0)
    throw new BatchInvalid(`${events.length} of ${verdicts.length} events can't be taken; none was.`, { events })
}
