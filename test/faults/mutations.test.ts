/** The faults prove something only if they fail without the mechanism they test; `npm run faults -- --mutate all` tries all. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { FAILPOINTS } from './harness/failpoints.ts'
import { notices } from './harness/mutant.ts'
import { changesOf, MUTATIONS, mutate, mutationNamed } from './harness/mutations.ts'

test('every mutation and every failpoint still fits the source it changes', () => {
  for (const { name, file, edits } of [...MUTATIONS, ...FAILPOINTS].flatMap(changesOf)) {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    assert.notEqual(mutate(source, edits, name), source)
  }
})

for (const name of ['acknowledge-before-commit', 'no-epoch', 'text-ids']) {
  const mutation = mutationNamed(name)
  test(`it is noticed when ${mutation.what}`, async () => {
    const { noticed, output } = await notices(mutation)
    assert.ok(noticed, `${mutation.caughtBy} did not notice:\n${output.slice(-4_000)}`)
  })
}
