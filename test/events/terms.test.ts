import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_TERMS, OVERFLOW, ownLabelTerm, relatedLabelTerm, termsOf } from '#src/events/terms.ts'

test('an event has one term for each label but its own id', () => {
  const terms = termsOf({ 'prefect.resource.id': 'order.1', colour: 'red' }, [
    { 'prefect.resource.id': 'shop.2', 'prefect.resource.role': 'shop', name: 'Corner' },
  ])
  assert.deepEqual(
    terms,
    [
      ownLabelTerm('colour', 'red'),
      relatedLabelTerm('prefect.resource.id', 'shop.2'),
      relatedLabelTerm('prefect.resource.role', 'shop'),
      relatedLabelTerm('name', 'Corner'),
    ],
    'own label, then the related ones',
  )
})

test('terms never change, since the log keeps them', () => {
  assert.equal(ownLabelTerm('colour', 'red'), 1249552626)
  assert.equal(relatedLabelTerm('colour', 'red'), -1787469425)
})

test('a label shared by two related resources is one term', () => {
  const tag = { 'prefect.resource.role': 'tag' }
  const terms = termsOf({ 'prefect.resource.id': 'a' }, [
    { ...tag, 'prefect.resource.id': 't1' },
    { ...tag, 'prefect.resource.id': 't2' },
  ])
  assert.equal(terms.length, 3)
})

test('own and related labels, and other ways to cut key and value, are other terms', () => {
  const terms = new Set([
    ownLabelTerm('ab', 'c'),
    ownLabelTerm('a', 'bc'),
    relatedLabelTerm('ab', 'c'),
    ownLabelTerm('abc', ''),
    ownLabelTerm('', 'abc'),
  ])
  assert.equal(terms.size, 5)
})

test('an event with more labels than the index holds is a candidate of every question', () => {
  const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`label-${i}`, 'x']))
  const id = { 'prefect.resource.id': 'a' }
  assert.equal(termsOf({ ...id, ...labels(MAX_TERMS) }, []).length, MAX_TERMS)
  assert.deepEqual(termsOf({ ...id, ...labels(MAX_TERMS + 1) }, []), [OVERFLOW])
})

test('hundreds of thousands of labels give few terms that collide', () => {
  const seen = new Set<number>()
  const count = 200_000
  for (let i = 0; i < count; i++) seen.add(relatedLabelTerm('prefect.resource.id', `prefect.flow-run.${i}`))
  // 32 bits: about count^2 / 2^33 = 5 pairs are expected
  assert.ok(count - seen.size < 30, `${count - seen.size} collisions`)
  for (const term of seen) assert.ok(Number.isInteger(term) && term >= -(2 ** 31) && term < 2 ** 31)
})
