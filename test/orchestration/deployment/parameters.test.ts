import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandInvalid, Conflict } from '#src/errors.ts'
import { checkParameters } from '#src/orchestration/index.ts'

const SCHEMA = {
  title: 'Parameters',
  type: 'object',
  required: ['name'],
  properties: {
    name: { title: 'name', type: 'string' },
    count: { title: 'count', type: 'integer', default: 1 },
    note: { title: 'note', type: 'string' },
    point: { $ref: '#/definitions/Point' },
  },
  definitions: { Point: { type: 'object', required: ['x'], properties: { x: { type: 'number' } } } },
}

test('parameters that fit pass', () => {
  checkParameters('Error', { name: 'a', count: 3, point: { x: 1.5 } }, SCHEMA)
  checkParameters('Error', { name: 'a', note: null }, SCHEMA)
  checkParameters('Error', {}, SCHEMA, true)
})

test('others are refused with the field and the reason', () => {
  const refused = (parameters: object, sentence: RegExp) =>
    assert.throws(
      () => checkParameters('Error creating flow run', { ...parameters }, SCHEMA),
      (error: Error) => error instanceof Conflict && sentence.test(error.message),
    )
  refused(
    { name: 'a', count: 'many' },
    /^Error creating flow run: Validation failed for field 'count'\. Failure reason: .*integer/,
  )
  refused({ name: 'a', point: { x: 'east' } }, /field 'point\.x'/)
  refused({}, /^Error creating flow run: Validation failed\. .*name/)
  assert.throws(() => checkParameters('Error', {}, null), Conflict)
})

test('a schema without end is refused', () => {
  const endless = {
    type: 'object',
    properties: { a: { $ref: '#/definitions/A' } },
    definitions: { A: { $ref: '#/definitions/A' } },
  }
  assert.throws(() => checkParameters('Error', { a: 1 }, endless), CommandInvalid)
})

test('a schema is never run as code', () => {
  const sly = { type: 'object', properties: { a: { const: "'); process.exit(1); ('" } } }
  assert.throws(() => checkParameters('Error', { a: 1 }, sly), Conflict)
})
