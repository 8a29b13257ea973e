import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatOverrides, parseOverrides } from '#src/config/retention-overrides.ts'
import { loadSettings } from '#src/config.ts'

const DAY_MS = 86_400_000

test('overrides are durations by name, as text in any of the usual forms or as seconds', () => {
  assert.deepEqual(parseOverrides('{"a.b": "1d", "billing.*": "2y", "c": "PT36H", "d": 3600, "*": "1.5y"}'), {
    'a.b': DAY_MS,
    'billing.*': 730 * DAY_MS,
    c: 36 * 3_600_000,
    d: 3_600_000,
    '*': 547.5 * DAY_MS,
  })
  assert.deepEqual(parseOverrides('{}'), {})
})

test('what is no such thing is none', () => {
  for (const text of [
    '',
    '[]',
    '"1d"',
    'null',
    '{"a": "soon"}',
    '{"a": null}',
    '{"": "1d"}',
    '{"a*b": "1d"}',
    '{"a": "1s"}',
    '{"a": -5}',
  ])
    assert.equal(parseOverrides(text), null, text)
})

test('they are shown as they may be written', () => {
  const text = '{"a.b":"1d","billing.*":"730d"}'
  assert.equal(formatOverrides(parseOverrides(text) ?? {}), text)
  const { sources } = loadSettings({ env: { MILLRACE_EVENTS_RETENTION_OVERRIDES: text } })
  assert.equal(sources.get('events.retentionOverrides')?.shown, text)
})

test('a start with wrong ones says what is allowed', () => {
  assert.throws(() => loadSettings({ env: { MILLRACE_EVENTS_RETENTION_OVERRIDES: '{"a": "soon"}' } }), {
    message: /^MILLRACE_EVENTS_RETENTION_OVERRIDES is .*, but it must be a JSON object of event names/,
  })
})
