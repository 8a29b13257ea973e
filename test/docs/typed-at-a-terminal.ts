/** Runs what the README tells a person to type, as a shell of that person would: without this run's Node and settings. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '../wait-until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A command that goes on running, such as `npm start`. */
export interface Running {
  /** What it has printed so far, logs included. */
  printed(): string
  /** Presses Ctrl-C, and resolves with the exit code when it has ended. */
  interrupt(): Promise<number | null>
}

/** The environment of a person with this home and these settings, and nothing else that this run has set. */
export function environment(home: string, settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(MILLRACE|PREFECT|npm|NODE)_/i.test(name))
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  // What was fetched for this user before is not fetched again.
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter), HOME: home, XDG_CACHE_HOME: cache, ...settings }
}

/** Runs a command line to its end. */
export async function typed(command: string, env: NodeJS.ProcessEnv, cwd = root) {
  const child = spawn('sh', ['-e', '-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { stdout: stdout.replaceAll('\r', '').trim(), stderr, exit: exit as number | null }
}

/** Starts a command line, and resolves when it has printed what `said` asks for. */
export async function started(command: string, env: NodeJS.ProcessEnv, said: RegExp, cwd = root): Promise<Running> {
  // A process group of its own, so that Ctrl-C reaches the shell, npm and the server alike, as in a terminal.
  const child = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      printed += part
    })
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const running = { printed: () => printed, interrupt: () => interrupt(child, ended) }
  try {
    await waitUntil(() => said.test(printed) || child.exitCode !== null, { timeoutMs: 60_000, what: `${said}` })
    if (said.test(printed)) return running
    throw new Error(`'${command}' ended with code ${child.exitCode}`)
  } catch (error) {
    await running.interrupt()
    throw new Error(`'${command}' did not start; it printed:\n${printed}`, { cause: error })
  }
}

async function interrupt(child: ChildProcess, ended: Promise<number | null>): Promise<number | null> {
  const runs = child.exitCode === null && child.signalCode === null
  if (runs && child.pid !== undefined) process.kill(-child.pid, 'SIGINT')
  return ended
}
