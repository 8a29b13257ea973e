import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { buildProgram } from '#src/cli/program.ts'
import manifest from '../../package.json' with { type: 'json' }
import { millrace } from './millrace.ts'

const nowhere = {
  env: {},
  print: async () => undefined,
  note: () => undefined,
  confirm: async () => null,
  stop: new AbortController().signal,
}

/** Every command line that names a command: [], ['server'], ['server', 'start'] … */
function lines(
  command: Pick<Command, 'commands'>,
  before: readonly string[] = [],
): { path: string[]; leaf: boolean }[] {
  const below = command.commands.flatMap((child) => lines(child, [...before, child.name()]))
  return [{ path: [...before], leaf: below.length === 0 }, ...below]
}

test('every command has --help with a description, and examples where it does something', async () => {
  const commands = lines(buildProgram(nowhere))
  assert.deepEqual(
    commands.filter(({ leaf }) => leaf).map(({ path }) => path.join(' ')),
    [
      'server start',
      'services start',
      'services ls',
      'database upgrade',
      'database status',
      'database repair',
      'database stamp',
      'database doctor',
      'events emit',
      'events stream',
      'dead-letters ls',
      'dead-letters show',
      'dead-letters replay',
      'dead-letters discard',
      'streams ls',
      'streams replay',
      'streams repartition',
      'streams forget-group',
      'projections ls',
      'projections rebuild',
      'projections verify',
      'retention show',
      'retention plan',
      'retention prune',
      'archive ls',
      'archive verify',
      'archive restore',
      'schedules ls',
      'schedules show',
      'schedules pause',
      'schedules resume',
      'schedules trigger',
      'schedules backfill',
      'schedules verify',
      'schedules simulate',
      'losses ls',
      'config',
    ],
  )
  // Groups show what commander makes of their commands; starting a process for each of them would show no more.
  for (const { path, leaf } of commands.filter(({ path, leaf }) => leaf || path.length === 0)) {
    const { stdout, stderr, exit } = await millrace([...path, '--help'])
    const name = ['millrace', ...path].join(' ')
    assert.deepEqual([exit, stderr], [0, ''], name)
    assert.match(stdout, new RegExp(`^Usage: ${name} .*\\n\\n[\\s\\S]{20,}`))
    if (leaf) assert.match(stdout, /\nExamples:\n {2}\$ /, name)
  }
})

test('--version prints the version of the package', async () => {
  const { stdout, exit } = await millrace(['--version'])
  assert.deepEqual([stdout, exit], [`${manifest.version}\n`, 0])
})

test('a wrong command line is refused in one sentence with exit code 2', async () => {
  const unknown = await millrace(['servr', 'start'])
  assert.deepEqual([unknown.exit, unknown.stdout], [2, ''])
  assert.equal(unknown.stderr, "millrace: unknown command 'servr' (Did you mean server?) (see --help)\n")
  const option = await millrace(['config', '--jsn'])
  assert.equal(option.exit, 2)
  assert.equal(option.stderr, "millrace: unknown option '--jsn' (Did you mean --json?) (see --help)\n")
  const missing = await millrace(['events', 'emit'])
  assert.equal(missing.exit, 2)
  assert.equal(missing.stderr, "millrace: missing required argument 'name' (see --help)\n")
})

test('a flag with a value that is not allowed is refused in one sentence with exit code 2', async () => {
  const { stderr, exit } = await millrace(['server', 'start', '--port', 'abc'])
  assert.deepEqual([exit, stderr], [2, 'millrace: --port is "abc", but it must be a whole number from 0 to 65535.\n'])
})
