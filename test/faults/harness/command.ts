/** A command of the program as a process of its own, to be killed half-way. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const PRELOAD = new URL('./preload.ts', import.meta.url).href

export interface CommandEnd {
  /** Null when it was killed. */
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCommand {
  readonly ended: Promise<CommandEnd>
  kill9(): void
}

export function startCommand(args: readonly string[], environment: Readonly<Record<string, string>>): RunningCommand {
  const child = spawn(process.execPath, ['--import', PRELOAD, MAIN, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...environment, MILLRACE_TEST_PARENT: String(process.pid) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (text: Buffer) => {
    said.stdout += text
  })
  child.stderr.on('data', (text: Buffer) => {
    said.stderr += text
  })
  return {
    ended: new Promise((resolve) => child.once('close', (exit) => resolve({ exit, ...said }))),
    kill9: () => void child.kill('SIGKILL'),
  }
}
