/** Runs one of the system's commands to its end without blocking. */
import { spawn } from 'node:child_process'
import type { RunAs } from './run-as.ts'

/**
 * Never throws: a command that doesn't exist has not worked either.
 * @returns whether it exited with 0, and all it printed on both outputs
 */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly runAs?: RunAs } = {},
): Promise<{ readonly ok: boolean; readonly output: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C', ...options.env }
    const user = options.runAs ? { uid: options.runAs.uid, gid: options.runAs.gid } : {}
    const child = spawn(command, args, { env, cwd: options.cwd ?? '/', stdio: ['ignore', 'pipe', 'pipe'], ...user })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.once('error', (error) => resolve({ ok: false, output: error.message }))
    child.once('close', (code) => resolve({ ok: code === 0, output }))
  })
}
