import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { isUuid } from '#src/events/uuid.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

test('a UUID is one whatever its digits are, and none once a character is another', () => {
  for (let i = 0; i < 100; i++) assert.ok(isUuid(randomUUID()))
  const one = '09afc2b4-37de-4810-8a5b-6e0f9d1c7f2a'
  for (let at = 0; at < one.length; at++)
    for (const other of ['', '-', '0', 'f', 'g', 'F', '/', ':', '`', '\0', '\u00b9', '\u0661', '\ud83d']) {
      const text = `${one.slice(0, at)}${other}${one.slice(at + 1)}`
      assert.equal(isUuid(text), UUID.test(text), text)
    }
  for (const text of ['', `${one}0`, ` ${one}`, `{${one}}`, one.toUpperCase(), one.replaceAll('-', '')])
    assert.equal(isUuid(text), false, text)
})
