/** `npm run bench -- [NAME…] [--quick]`: runs scenarios, prints tables, writes JSON to bench/out. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { inspectMachine } from './machine.ts'
import type { Scenario } from './scenario.ts'
import { consume } from './scenarios/consume.ts'
import { ingest } from './scenarios/ingest.ts'
import { latency } from './scenarios/latency.ts'
import { orchestrate } from './scenarios/orchestrate.ts'
import { queries } from './scenarios/queries.ts'
import { rebuild } from './scenarios/rebuild.ts'
import { record } from './scenarios/record.ts'
import { retention } from './scenarios/retention.ts'
import { ticks } from './scenarios/ticks.ts'
import { write } from './scenarios/write.ts'

const SCENARIOS: readonly Scenario[] = [
  ingest,
  latency,
  write,
  consume,
  queries,
  record,
  rebuild,
  orchestrate,
  retention,
  ticks,
]
const OUT = new URL('./out/', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
})
const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name))
if (values.help || unknown.length > 0) {
  const list = SCENARIOS.map(({ name, title }) => `  ${name.padEnd(10)} ${title}`).join('\n')
  if (unknown.length > 0) process.stderr.write(`no scenario is called ${unknown.join(', ')}\n`)
  process.stdout.write(`npm run bench -- [NAME…] [--quick]\n\n${list}\n`)
  process.exit(unknown.length > 0 ? 2 : 0)
}
for (const scenario of SCENARIOS) {
  if (positionals.length > 0 && !positionals.includes(scenario.name)) continue
  process.stdout.write(`\n${scenario.name}: ${scenario.title}\n`)
  const before = await inspectMachine()
  const result = await scenario.run({ quick: values.quick, say: (line) => process.stdout.write(`  ${line}\n`) })
  const after = await inspectMachine()
  const heads = Object.keys(result.rows[0] ?? {})
  const table = new Table({ head: heads, style: { head: [], border: [] } })
  for (const row of result.rows) table.push(heads.map((head) => row[head] ?? ''))
  process.stdout.write(`${table}\n`)
  const disturbance = Math.max(before.disturbancePercent, after.disturbancePercent)
  if (disturbance > 10)
    process.stdout.write(`  the machine was disturbed (${disturbance} % > 10 %): quote the ratios at most\n`)
  for (const failure of result.failures) {
    process.stderr.write(`  FAILED: ${failure}\n`)
    process.exitCode = 1
  }
  mkdirSync(OUT, { recursive: true })
  const file = new URL(`${scenario.name}.json`, OUT)
  writeFileSync(
    file,
    `${JSON.stringify({ scenario: scenario.name, quick: values.quick, machine: after, disturbance, ...result }, null, 2)}\n`,
  )
}
