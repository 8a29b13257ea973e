import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { v5 as uuidV5 } from 'uuid'
import { WebSocket } from 'ws'
import { readAll, type SentEvent } from './read-all.ts'
import { verifiedServer } from './running-server.ts'
import { type Webhook, webhooks } from './webhooks.ts'

const CLOUDEVENT_IDS = '608f49c8-6428-416d-bc34-6bb6d377c7b9' // see docs/events.md
const SENDERS = 8

const startMs = Date.now()

/** When it occurred: no two at once, so that the order of what is read back is the order of the corpus. */
function occurred({ n }: Webhook): string {
  return `${new Date(startMs - n).toISOString().slice(0, -1)}000Z`
}

function repositoryOf({ payload }: Webhook): string {
  return (payload['repository'] as { url?: string } | undefined)?.url ?? 'https://github.com'
}

/** The CloudEvent of a webhook, by its attributes. */
function attributesOf(webhook: Webhook): Record<string, string> {
  return {
    specversion: '1.0',
    id: `delivery ${webhook.n} – “${webhook.name}”`, // to be percent-encoded as a header
    source: repositoryOf(webhook),
    type: `com.github.${webhook.name}`,
    subject: String(webhook.n),
    time: occurred(webhook),
    datacontenttype: 'application/json',
    delivery: String(webhook.n),
  }
}

function asCloudEvent(webhook: Webhook): SentEvent {
  const { id = '', source = '', type = '', subject, datacontenttype = '' } = attributesOf(webhook)
  return {
    id: uuidV5(`${source}\n${id}`, CLOUDEVENT_IDS),
    occurred: occurred(webhook),
    event: type,
    resource: {
      'prefect.resource.id': `${source}/${subject}`,
      'cloudevents.specversion': '1.0',
      'cloudevents.id': id,
      'cloudevents.source': source,
      'cloudevents.subject': String(subject),
      'cloudevents.datacontenttype': datacontenttype,
      'cloudevents.ext.delivery': String(webhook.n),
    },
    related: [],
    payload: webhook.payload,
    follows: null,
  }
}

function asPrefectEvent(webhook: Webhook, door: string): SentEvent {
  const hash = createHash('sha256').update(`${door} ${webhook.n}`).digest('hex')
  const sender = (webhook.payload['sender'] as { login?: string } | undefined)?.login
  return {
    id: [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join('-'),
    occurred: occurred(webhook),
    event: `github.${webhook.name}`,
    resource: { 'prefect.resource.id': `github.delivery.${webhook.n}`, 'prefect.resource.name': webhook.name },
    related: [
      { 'prefect.resource.id': repositoryOf(webhook), 'prefect.resource.role': 'repository' },
      ...(sender === undefined ? [] : [{ 'prefect.resource.id': `user.${sender}`, 'prefect.resource.role': 'sender' }]),
    ],
    payload: webhook.payload,
    follows: null,
  }
}

async function post(url: string, headers: Record<string, string>, body: string): Promise<void> {
  const response = await fetch(`${url}/api/events?ack=persisted`, { method: 'POST', headers, body })
  assert.equal(response.status, 204, await response.text())
}

/** Several at a time, as several senders would. */
async function sendAll<T>(items: readonly T[], send: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      for (const item of queue) await send(item)
    }),
  )
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

function sendBinary(url: string, webhook: Webhook): Promise<void> {
  const { datacontenttype = '', ...attributes } = attributesOf(webhook)
  const encoded = Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encodeURIComponent(value)])
  return post(url, { ...Object.fromEntries(encoded), 'content-type': datacontenttype }, JSON.stringify(webhook.payload))
}

function structuredOf(webhook: Webhook): object {
  return { ...attributesOf(webhook), data: webhook.payload }
}

test('every webhook comes back as it was sent, as a CloudEvent in each of the three modes', async (t) => {
  const url = await verifiedServer(t)
  const modes = [0, 1, 2].map((mode) => webhooks.filter(({ n }) => n % 3 === mode))
  const [structured = [], batched = [], binary = []] = modes
  const type = (name: string) => ({ 'content-type': `application/${name}+json` })
  await sendAll(structured, (webhook) => post(url, type('cloudevents'), JSON.stringify(structuredOf(webhook))))
  await sendAll(inGroups(batched, 20), (group) =>
    post(url, type('cloudevents-batch'), JSON.stringify(group.map(structuredOf))),
  )
  await sendAll(binary, (webhook) => sendBinary(url, webhook))
  assert.deepEqual(await readAll(url, { event: { prefix: ['com.github.'] } }), webhooks.map(asCloudEvent))
  assert.ok(webhooks.length > 700, `${webhooks.length} webhooks`)
})

test('every webhook comes back as it was sent, in the envelope over HTTP', async (t) => {
  const url = await verifiedServer(t)
  const events = webhooks.map((webhook) => asPrefectEvent(webhook, 'http'))
  await sendAll(inGroups(events, 50), (group) =>
    post(url, { 'content-type': 'application/json' }, JSON.stringify(group)),
  )
  assert.deepEqual(await readAll(url, {}), events)
})

test('every webhook comes back as it was sent, in the envelope over the socket', async (t) => {
  const url = await verifiedServer(t)
  const events = webhooks.map((webhook) => asPrefectEvent(webhook, 'socket'))
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/events/in`, 'prefect')
  await once(socket, 'open')
  socket.send('{"type":"auth","token":null}')
  const [greeting] = await once(socket, 'message')
  assert.deepEqual(JSON.parse(String(greeting)), { type: 'auth_success' })
  for (const event of events) socket.send(JSON.stringify(event))
  socket.ping('all sent')
  await once(socket, 'pong')
  socket.close()
  // PONG says that all are in Redis; asked for again, each is a duplicate, and the answer waits until Postgres has it.
  const again = await fetch(`${url}/api/events?partial=true&ack=persisted`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  assert.deepEqual(
    await again.json(),
    events.map(({ id }) => ({ id, status: 'duplicate' })),
  )
  assert.deepEqual(await readAll(url, {}), events)
})
