import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanJson } from '#src/events/storable.ts'

test('JSON has nothing that Postgres cannot make text of, and is else as it was', () => {
  const json = (value: unknown) => cleanJson(JSON.stringify(value))
  const letters = { '☃': ['𝓐', 'a\\u0000', '\\ud83d', '"\\\\"', '\n\t\u0001'], n: [1.5, null, true] }
  assert.equal(json(letters), JSON.stringify(letters))
  assert.deepEqual(JSON.parse(json({ 'a\0': ['\\\0\\', '\ud83d', '\udc00\ud83d', '𝓐\0'] })), {
    'a\u2400': ['\\\u2400\\', '\ufffd', '\ufffd\ufffd', '𝓐\u2400'],
  })
  assert.equal(json('\\\ud83dx'), '"\\\\\ufffdx"')
})
