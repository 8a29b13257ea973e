import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkEvent, readUuid } from '#src/events/check.ts'
import { LIMITS, sample } from './samples.ts'

const ID = 'prefect.resource.id'
const ROLE = 'prefect.resource.role'

function reasonOf(value: unknown): string {
  const checked = checkEvent(value, LIMITS, true)
  return typeof checked === 'string' ? checked : 'nothing'
}

function labels(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count - 2 }, (_, i) => [`label-${i}`, 'x']))
}

test('an event that holds is given back with its instant read', () => {
  const event = sample({
    related: [{ [ID]: 'shop.1', [ROLE]: 'shop' }],
    payload: { a: 1 },
    follows: '01A20ADE-0148-7748-B908-E362C54191E5',
  })
  assert.deepEqual(checkEvent(event, LIMITS, false), {
    ...event,
    occurred: { iso: '2026-11-24T00:04:11.208894Z', ms: 1795478651208 },
    follows: '01a20ade-0148-7748-b908-e362c54191e5',
  })
})

test('related, payload and follows may be left out; members that are not known do no harm', () => {
  const checked = {
    ...sample(),
    occurred: { iso: '2026-11-24T00:04:11.208894Z', ms: 1795478651208 },
    related: [],
    payload: {},
    follows: null,
  }
  assert.deepEqual(checkEvent(sample({ colour: 'red', received: 1 }), LIMITS, false), checked)
  assert.deepEqual(checkEvent(sample({ related: null, follows: null }), LIMITS, false), checked)
})

test('what is wrong is one sentence that names the field', () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ id: undefined }, 'id: must be a UUID, is missing'],
    [{ id: 'A1' }, 'id: must be a UUID, is "A1"'],
    [{ id: 5 }, 'id: must be a UUID, is 5'],
    [
      { occurred: undefined },
      'occurred: must be a date of the years 1 to 9999 in ISO 8601 or epoch seconds, is missing',
    ],
    [
      { occurred: '10000-01-01T00:00:00Z' },
      'occurred: must be a date of the years 1 to 9999 in ISO 8601 or epoch seconds, is "10000-01-01T00:00:00Z"',
    ],
    [{ event: '' }, 'event: must be a name of at least 1 character, is ""'],
    [{ event: null }, 'event: must be a name of at least 1 character, is null'],
    [{ event: 'a\nb' }, 'event: control characters and lone surrogates are not allowed in a name'],
    [{ event: 'a\0b' }, 'event: control characters and lone surrogates are not allowed in a name'],
    [{ event: 'a\ud800' }, 'event: control characters and lone surrogates are not allowed in a name'],
    [{ resource: undefined }, 'resource: must be an object of labels, is missing'],
    [{ resource: [] }, 'resource: must be an object of labels, is []'],
    [{ resource: {} }, `resource: needs a non-empty label '${ID}'`],
    [{ resource: { [ID]: '' } }, `resource: needs a non-empty label '${ID}'`],
    [{ resource: { [ID]: 5 } }, `resource: the label '${ID}' must be a string, is 5`],
    [{ resource: { [ID]: 'a', x: null } }, `resource: the label 'x' must be a string, is null`],
    [{ resource: { [ID]: 'a\tb' } }, `resource: control characters are not allowed in '${ID}'`],
    [{ related: {} }, 'related: must be a list of resources, is {}'],
    [{ related: [5] }, 'related[0]: must be an object of labels, is 5'],
    [{ related: [{ [ID]: 'a', [ROLE]: 'r' }, { [ID]: 'a' }] }, `related[1]: needs a non-empty label '${ROLE}'`],
    [{ related: [{ [ID]: 'a', [ROLE]: '' }] }, `related[0]: needs a non-empty label '${ROLE}'`],
    [{ related: [{ [ROLE]: 'a' }] }, `related[0]: needs a non-empty label '${ID}'`],
    [{ payload: [] }, 'payload: must be a JSON object, is []'],
    [{ payload: null }, 'payload: must be a JSON object, is null'],
    [{ payload: 'x'.repeat(80) }, `payload: must be a JSON object, is "${'x'.repeat(59)}…`],
    [{ follows: 'A1' }, 'follows: must be a UUID or null, is "A1"'],
  ]
  for (const [members, reason] of cases) assert.equal(reasonOf(sample(members)), reason)
  for (const value of [null, 5, 'x', [], [sample()]]) assert.equal(reasonOf(value), 'an event must be a JSON object')
})

test('names and lists may be as long as the limits, and no longer', () => {
  const related = (count: number) => Array(count).fill({ [ID]: 'a', [ROLE]: 'r' })
  const cases: [Record<string, unknown>, string][] = [
    [{ event: 'x'.repeat(1_024) }, 'nothing'],
    [{ event: 'x'.repeat(1_025) }, 'event: may have 1024 characters, has 1025'],
    [{ event: '漢'.repeat(853) }, 'nothing'],
    [{ event: '漢'.repeat(854) }, 'event: may have 2560 bytes of UTF-8, has 2562'],
    [{ resource: { [ID]: 'x'.repeat(2_560) } }, 'nothing'],
    [{ resource: { [ID]: 'x'.repeat(2_561) } }, `resource: '${ID}' may have 2560 bytes of UTF-8, has 2561`],
    [{ resource: { [ID]: 'a', x: 'y', ...labels(500) } }, 'nothing'],
    [{ resource: { [ID]: 'a', x: 'y', ...labels(501) } }, 'resource: may have 500 labels, has 501'],
    [{ related: related(100) }, 'nothing'],
    [{ related: related(101) }, 'related: may have 100 resources, has 101'],
    [{ related: [{ [ID]: 'a', [ROLE]: 'r', ...labels(501) }] }, 'related[0]: may have 500 labels, has 501'],
  ]
  for (const [members, reason] of cases) assert.equal(reasonOf(sample(members)), reason)
})

test('labels that Postgres could not hold are refused, in the payload they are welcome', () => {
  const reason = (label: string) =>
    `resource: the label '${label}' holds a NUL character or a lone surrogate, which no label may`
  assert.equal(reasonOf(sample({ resource: { [ID]: 'a', x: 'a\0' } })), reason('x'))
  assert.equal(reasonOf(sample({ resource: { [ID]: 'a', x: '\udc00' } })), reason('x'))
  assert.equal(reasonOf(sample({ resource: { [ID]: 'a', 'x\0': 'a' } })), reason('x\0'))
  assert.equal(reasonOf(sample({ resource: { [ID]: 'a', x: '😀\n\x7f' } })), 'nothing')
  assert.equal(reasonOf(sample({ payload: { 'a\0': '\ud800' } })), 'nothing')
})

test('names from the prototype of objects are labels like others', () => {
  const resource = JSON.parse(`{"${ID}":"a","__proto__":"b","constructor":"c"}`)
  assert.equal(reasonOf(sample({ resource })), 'nothing')
  assert.equal(
    reasonOf(JSON.parse('{"__proto__":{"id":"01a20ade-0148-7748-b908-e362c54191e6"}}')),
    'id: must be a UUID, is missing',
  )
})

test('a UUID is read in every form that Python reads, and kept in one', () => {
  const canonical = '01a20ade-0148-7748-b908-e362c54191e6'
  const forms = [canonical, canonical.toUpperCase(), canonical.replaceAll('-', '')]
  for (const form of [...forms, `urn:uuid:${canonical}`, `{${canonical}}`]) assert.equal(readUuid(form), canonical)
  for (const wrong of [
    '',
    canonical.slice(1),
    `${canonical}0`,
    `${canonical}\n`,
    canonical.replace('a', 'g'),
    5,
    null,
  ]) {
    assert.equal(readUuid(wrong), null)
  }
})
