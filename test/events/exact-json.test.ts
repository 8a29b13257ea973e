import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExact } from '#src/events/exact-json.ts'

test('numbers keep their digits, wherever in a document they stand', () => {
  for (const text of [
    '12345678901234567890',
    '-12345678901234567890',
    '[1,12345678901234567890]',
    '[-0.12345678901234567890]',
    '[3.14159265358979323846]',
    '{"a":12345678901234567890}',
    '{"a": 12345678901234567890}',
    '{"a":[\n\t12345678901234567890\n]}',
    '{"a":1e400}',
    '{"a":[1,-1.5E+400]}',
    '{"3e4":"1e9","a":1234567890123456789}',
  ])
    assert.equal(JSON.stringify(parseExact(text)), text.replaceAll(/\s/g, ''), text)
})

test('what has no such number is as JSON.parse has it, text that looks like one too', () => {
  for (const text of [
    '{"id":"7e4f3e41-0e52-4e77-9e10-1234567890123456","n":[1,2.5,-3,1e3],"t":"2026-11-25T09:00:00.123456Z"}',
    '"1e9 and 12345678901234567890, and: 3e4"',
    '[" 1234567890123456", ":12345678901234567890"]',
  ])
    assert.deepEqual(parseExact(text), JSON.parse(text))
})
