/** Runs a test with a mechanism switched off, to see whether it notices. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Mutation } from './mutations.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PRELOAD = new URL('./preload.ts', import.meta.url).href

/** A test that finds no end without its mechanism is ended; unless it had said what it should by then, it has not noticed. */
const LONGEST_MS = 10 * 60_000
const ENDING_MS = 5_000

export interface Noticed {
  /** The test failed, and said what it should. */
  readonly noticed: boolean
  readonly output: string
}

/** The mutation is in force in the test's process and in those that it starts. */
export async function notices({ name, caughtBy, saying }: Mutation): Promise<Noticed> {
  const environment: NodeJS.ProcessEnv = { ...process.env, MILLRACE_TEST_MUTATION: name }
  delete environment['NODE_TEST_CONTEXT'] // or the runner takes itself for a part of this one
  const child = spawn(process.execPath, ['--import', PRELOAD, '--test', '--test-reporter=spec', caughtBy], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      output += text
    })
  const timers = [
    setTimeout(() => child.kill('SIGTERM'), LONGEST_MS),
    setTimeout(() => child.kill('SIGKILL'), LONGEST_MS + ENDING_MS),
  ]
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  for (const timer of timers) clearTimeout(timer)
  return { noticed: code !== 0 && saying.test(output), output }
}
