import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanArray, scanObject } from '#src/events/json-scan.ts'
import { RandomJson } from './random-json.ts'
import { randomFrom } from './samples.ts'

function member(text: string, name = 'payload'): string | null {
  const body = Buffer.from(text)
  const { memberStart, memberEnd } = scanObject(body, name)
  return memberStart === -1 ? null : body.toString('utf8', memberStart, memberEnd)
}

test('what is found in thousands of odd texts is what JSON.parse finds', () => {
  const json = new RandomJson(randomFrom(2))
  let found = 0
  let escaped = 0
  for (let i = 0; i < 5_000; i++) {
    const text = json.array('payload')
    const body = Buffer.from(text)
    const values = JSON.parse(text)
    const places = scanArray(body, 'payload')
    assert.equal(places.length, values.length, text)
    places.forEach((place, index) => {
      const slice = body.toString('utf8', place.start, place.end)
      assert.deepEqual(JSON.parse(slice), values[index], text)
      assert.equal(slice.trim(), slice, text)
      assert.equal(place.depth, depthOf(slice), text)
      assert.equal(place.unicodeEscape, hasUnicodeEscape(slice), text)
      if (place.escapedName) escaped++
      if (place.escapedName || !isObject(values[index])) return
      const has = Object.hasOwn(values[index], 'payload')
      assert.equal(place.memberStart >= 0, has, text)
      if (!has) return
      found++
      assert.deepEqual(
        JSON.parse(body.toString('utf8', place.memberStart, place.memberEnd)),
        values[index].payload,
        text,
      )
    })
  }
  assert.ok(found > 1_500 && escaped > 500, `${found} members, ${escaped} escaped names`)
})

test('an object by itself is found like one in an array', () => {
  const json = new RandomJson(randomFrom(3))
  for (let i = 0; i < 2_000; i++) {
    const object = json.object('data', 0)
    const alone = scanObject(Buffer.from(` \n${object}\t`), 'data')
    const [inArray] = scanArray(Buffer.from(` [${object}]`), 'data')
    assert.deepEqual(alone, inArray, object)
  }
})

test('only a member of the first level is found, and the last of several', () => {
  assert.equal(member('{"a": {"payload": 1}, "b": [{"payload": 2}]}'), null)
  assert.equal(member('{"payload": {"payload": {"payload": 1}}}'), '{"payload": {"payload": 1}}')
  assert.equal(member('{"payload": {"a": 1}, "x": 2, "payload" :\n {"b": 2}\n}'), '{"b": 2}')
  assert.equal(member('{"x": "payload", "y": {"payload": 0}}'), null)
  assert.equal(member('{"payloads": 1, "payloa": 2, "Payload": 3}'), null)
})

test('a member of any kind is found without the space around it', () => {
  for (const value of ['{}', '[]', '""', '"}\\",:"', '0', '-1.50E+3', 'null', 'true', '[ {"a" : [ ] } ]']) {
    assert.equal(member(`{ "x" : 1 , "payload" :\r\n ${value} \t}`), value)
    assert.equal(member(`{"payload":${value},"x":1}`), value)
  }
})

test('numbers of thirty digits are found digit for digit', () => {
  assert.equal(
    member('{"payload": {"n": 123456789012345678901234567890.10}}'),
    '{"n": 123456789012345678901234567890.10}',
  )
})

test('an escaped name is reported, since it may be the wanted one', () => {
  assert.equal(scanObject(Buffer.from('{"\\u0070ayload": {}}'), 'payload').escapedName, true)
  assert.equal(scanObject(Buffer.from('{"a\\nb": {}}'), 'payload').escapedName, true)
  assert.equal(scanObject(Buffer.from('{"a": {"\\u0070ayload": "\\n"}}'), 'payload').escapedName, false)
  assert.equal(scanObject(Buffer.from('{"a": "\\n", "payload": {}}'), 'payload').escapedName, false)
})

test('an escaped backslash before a u is no unicode escape', () => {
  assert.equal(scanObject(Buffer.from('{"a": "\\\\u0000"}'), 'payload').unicodeEscape, false)
  assert.equal(scanObject(Buffer.from('{"a": "\\\\\\u0000"}'), 'payload').unicodeEscape, true)
})

test('nesting a million levels deep is measured, not walked by calls', () => {
  const deep = `{"payload":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`
  assert.equal(scanObject(Buffer.from(deep), 'payload').depth, 1_000_001)
})

/** Of the text, not of what it parses to: there the last of several members hides the others. */
function depthOf(text: string): number {
  let level = 0
  let depth = 0
  for (const bracket of text.replace(/"(?:\\.|[^"\\])*"/gs, '').match(/[{}[\]]/g) ?? []) {
    level += bracket === '{' || bracket === '[' ? 1 : -1
    depth = Math.max(depth, level)
  }
  return depth
}

function hasUnicodeEscape(text: string): boolean {
  return /(?<!\\)(?:\\\\)*\\u/.test(text)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
