/** Runs the real program as a child process, in an environment of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Starts `millrace` with these arguments; of this process's environment it sees nothing but PATH. */
export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcessWithoutNullStreams {
  const base = { PATH: process.env['PATH'] ?? '', HOME: tmpdir() }
  return spawn(process.execPath, [MAIN, ...args], { env: { ...base, ...env } })
}

/** Runs `millrace` to its end. */
export async function millrace(args: readonly string[], env: Record<string, string> = {}) {
  const child = start(args, env)
  child.stdin.end()
  const [stdout, stderr, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { stdout, stderr, exit: exit as number | null }
}
