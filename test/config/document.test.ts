import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { documentSettings } from '#src/config/document.ts'

test('docs/settings.md is what the schema says', async () => {
  const page = await readFile(new URL('../../docs/settings.md', import.meta.url), 'utf8')
  assert.ok(page === documentSettings(), 'out of date: run npx node src/config/document.ts > docs/settings.md')
})
