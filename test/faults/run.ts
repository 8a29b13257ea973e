/**
 * What `npm run faults` runs: the fault tests one after another, and a table of what each did.
 *
 *   npm run faults                           all of them
 *   npm run faults -- kill-api flush-all     only files whose path contains one of these
 *   npm run faults -- --seed 7 --long        with given payloads and choices; long outages
 *   npm run faults -- --mutate all           switches off one mechanism after another: each has to make a test fail
 *   npm run faults -- --mutate max-length    only this one
 */
import { globSync } from 'node:fs'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { notices } from './harness/mutant.ts'
import { MUTATIONS, mutationNamed } from './harness/mutations.ts'

interface Reported {
  readonly name: string
  readonly acknowledged: number
  readonly missing: number
  readonly doubled: number
  readonly changed: number
  readonly reordered: number
  readonly refused: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { mutate: { type: 'string' }, seed: { type: 'string' }, long: { type: 'boolean', default: false } },
})
if (values.seed !== undefined) process.env['MILLRACE_TEST_SEED'] = values.seed
if (values.long) process.env['MILLRACE_FAULTS_LONG'] = '1'
process.exitCode = (await (values.mutate === undefined ? runFaults() : runMutations(values.mutate))) ? 0 : 1

async function runFaults(): Promise<boolean> {
  const files = globSync('test/faults/**/*.test.ts', { cwd: root })
    .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
    .sort()
  const table = new Table({ head: ['fault', 'acknowledged', 'missing', 'doubled', 'changed', 'reordered', 'refusals'] })
  let failed = files.length === 0 ? 1 : 0
  for await (const { type, data } of run({ files: [...files], cwd: root, concurrency: 1 })) {
    if (type === 'test:fail') {
      failed++
      process.stdout.write(`✖ ${data.name}: ${data.details.error.cause ?? data.details.error.message}\n`)
    }
    if (type === 'test:pass' && data.details.type !== 'suite') process.stdout.write(`✔ ${data.name}\n`)
    if (type !== 'test:diagnostic' || !data.message.startsWith('FAULT ')) continue
    const { name, refused, ...counts } = JSON.parse(data.message.slice('FAULT '.length)) as Reported
    table.push([name, counts.acknowledged, counts.missing, counts.doubled, counts.changed, counts.reordered, refused])
  }
  process.stdout.write(`${table}\n`)
  return failed === 0
}

async function runMutations(name: string): Promise<boolean> {
  const chosen = name === 'all' ? MUTATIONS : [mutationNamed(name)]
  const unnoticed: string[] = []
  for (const mutation of chosen) {
    const { noticed, output } = await notices(mutation)
    process.stdout.write(`${noticed ? '✔ noticed' : '✖ NOT noticed'}: ${mutation.name} (${mutation.what})\n`)
    if (noticed) continue
    unnoticed.push(mutation.name)
    process.stdout.write(output)
  }
  return unnoticed.length === 0
}
