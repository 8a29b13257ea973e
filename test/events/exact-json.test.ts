import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExact } from '#src/events/exact-json.ts'
import { RandomJson } from './random-json.ts'
import { randomFrom } from './samples.ts'

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
    '[123456789.123456789]',
    '{"a":1e400}',
    '1e400',
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
    '[1764442136.1234567,0.30000000000000004]',
  ])
    assert.deepEqual(parseExact(text), JSON.parse(text))
})

test('thousands of odd texts are read as if each of their numbers had been looked at', () => {
  const json = new RandomJson(randomFrom(3))
  let kept = 0
  for (let i = 0; i < 5_000; i++) {
    const text = json.array('a')
    const expected = JSON.stringify(parseSlowly(text))
    assert.equal(JSON.stringify(parseExact(text)), expected, text)
    if (expected !== JSON.stringify(JSON.parse(text))) kept++
  }
  assert.ok(kept > 500, `${kept} have a number that would have been changed`)
})

const exact = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  rawJSON(text: string): object
}

function parseSlowly(text: string): unknown {
  return exact.parse(text, (_key, value, { source = '' }) => {
    if (typeof value !== 'number') return value
    const digits = source.replace(/[eE].*|[-.]/g, '').replace(/^0+|0+$/g, '')
    return Number.isFinite(value) && (digits.length < 16 || JSON.stringify(value) === source)
      ? value
      : exact.rawJSON(source)
  })
}
