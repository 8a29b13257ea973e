import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { world } from '#test/world.ts'
import { SCHEMA_FILE, schemaPage } from './schema-page.ts'

test('test/schema.sql is what all migrations together make', async (t) => {
  const { databaseUrl } = await world(t)
  const made = await schemaPage(databaseUrl)
  const kept = readFileSync(SCHEMA_FILE, 'utf8')
  assert.equal(kept, made, 'out of date: run npm run schema')
})
