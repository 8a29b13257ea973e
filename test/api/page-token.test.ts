import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { openPageToken, type PageToken, pageTokenKey, signPageToken } from '#src/api/page-token.ts'
import { createStore } from '#src/store/pool.ts'
import { logStore } from '#test/store/event-query/log.ts'

const KEY = randomBytes(32)
const TOKEN: PageToken = {
  filter: { event: { name: ['order.placed'] }, occurred: { since: 0, until: '2026-11-24T00:00:00Z' } },
  limit: 50,
  after: { occurred: '2026-11-23T00:00:00.000001Z', id: '0198c1f2-0000-7000-8000-000000000001' },
  total: 120,
}
const INVALID = { code: 'PAGE_TOKEN_INVALID' }

test('a token holds its question and stands in a URL as it is', () => {
  const text = signPageToken(TOKEN, KEY)
  assert.match(text, /^[\w-]+$/)
  assert.deepEqual(openPageToken(text, KEY), TOKEN)
})

test('a token that is altered, cut, foreign or none is refused', () => {
  const text = signPageToken(TOKEN, KEY)
  for (const at of [0, 10, 50, text.length - 2]) {
    const other = text[at] === 'A' ? 'B' : 'A'
    assert.throws(() => openPageToken(text.slice(0, at) + other + text.slice(at + 1), KEY), INVALID, `altered at ${at}`)
  }
  for (const wrong of ['', 'x', text.slice(0, 43), text.slice(0, -4), signPageToken(TOKEN, randomBytes(32))]) {
    assert.throws(() => openPageToken(wrong, KEY), INVALID, wrong)
  }
})

test('a filter too large for a URL is refused in words, not by a proxy on the way', () => {
  const id = Array.from({ length: 1_000 }, () => randomBytes(16).toString('hex'))
  assert.throws(() => signPageToken({ ...TOKEN, filter: { resource: { id } } }, KEY), { code: 'FILTER_INVALID' })
})

test('all servers of an installation sign with the key that the first one made', async (t) => {
  const store = await logStore(t)
  const keys = await Promise.all([pageTokenKey(store), pageTokenKey(store), pageTokenKey(store)])
  assert.equal(keys[0].length, 32)
  for (const key of keys) assert.deepEqual(key, keys[0])
})

test('without Postgres there is no key, and that is an outage', async () => {
  const away = await createStore({
    url: 'postgres://x@127.0.0.1:1/x',
    timeoutMs: 500,
    connectTimeoutMs: 500,
    poolSize: 1,
  })
  await assert.rejects(pageTokenKey(away), { code: 'STORE_UNAVAILABLE' })
  await away.close()
})
