import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptFor, namesKept, namesShortLived } from '#src/retention/policy.ts'

const policy = {
  defaultMs: 7,
  overrides: { '*': 6, 'billing.*': 30, 'billing.note.*': 2, 'billing.note.sent': 90, toString: 1 },
}

test('the very name counts before beginnings, a longer beginning before a shorter one, any before the default', () => {
  assert.deepEqual(keptFor(policy, 'billing.note.sent'), { ms: 90, pattern: 'billing.note.sent' })
  assert.deepEqual(keptFor(policy, 'billing.note.read'), { ms: 2, pattern: 'billing.note.*' })
  assert.deepEqual(keptFor(policy, 'billing.paid'), { ms: 30, pattern: 'billing.*' })
  assert.deepEqual(keptFor(policy, 'order.placed'), { ms: 6, pattern: '*' })
  assert.deepEqual(keptFor({ defaultMs: 7, overrides: { 'a.*': 1 } }, 'ab'), { ms: 7, pattern: null })
  assert.deepEqual(keptFor({ defaultMs: 7, overrides: {} }, 'constructor'), { ms: 7, pattern: null })
})

test('a name is kept until its time after the end of the day is over', () => {
  const names = ['billing.paid', 'billing.note.read', 'order.placed']
  assert.deepEqual(namesKept(policy, names, 100, 105), ['billing.paid', 'order.placed'])
  assert.deepEqual(namesKept(policy, names, 100, 106), ['billing.paid'])
  assert.deepEqual(namesKept(policy, names, 100, 130), [])
  assert.deepEqual(namesShortLived(policy, names), ['billing.note.read', 'order.placed'])
})
