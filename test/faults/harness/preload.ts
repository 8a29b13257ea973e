/**
 * Loaded into every process that a fault test starts, by `--import`: ends the process when its test is gone, and
 * switches off the mechanism that `MILLRACE_TEST_MUTATION` names. So production code needs no switch for tests.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { mutate, mutationNamed } from './mutations.ts'

const mutation = process.env['MILLRACE_TEST_MUTATION']
if (mutation) {
  const { file, edits } = mutationNamed(mutation)
  const target = new URL(`../../../${file}`, import.meta.url)
  registerHooks({
    load(url, context, nextLoad) {
      if (url !== target.href) return nextLoad(url, context)
      const source = mutate(readFileSync(fileURLToPath(target), 'utf8'), edits, mutation)
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}

if (process.env['MILLRACE_TEST_PARENT']) {
  const parent = Number(process.env['MILLRACE_TEST_PARENT'])
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1)
  }, 500).unref()
}
