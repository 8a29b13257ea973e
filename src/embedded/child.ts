/**
 * Starts one server process and waits until it answers. It runs in a session of its own, so that a Ctrl-C in the
 * terminal doesn't reach it before us, and writes to a file, so that it survives our death unharmed and is ended, or
 * found, by the next start.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess } from './end-process.ts'
import { type Obstacle, ServerStartFailed } from './errors.ts'
import { findLeftover, removePidFile, writePidFile } from './pid-file.ts'
import { identify } from './process-identity.ts'
import type { RunAs } from './run-as.ts'

/** How one server is started, asked whether it is ready, found again and ended. */
export interface Launch {
  /** As it is called in sentences: `redis-server`, `postgres`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly runAs: RunAs
  readonly logFile: string
  readonly pidFile: string
  /** The pid file that the server writes itself; its first line is the pid. */
  readonly serverPidFile: string
  /** Stands in the command line of this server and of no other. */
  readonly mark: string
  /** Runs before each start, when no leftover runs any more. */
  readonly prepare?: () => void
  /** Finish cleanly, and don't wait for clients. */
  readonly stopSignal: NodeJS.Signals
  /** Asks once. `progress` is what the server says of itself while it loads or recovers, for people. */
  readonly probe: () => Promise<Readiness>
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly progress: string | null }

/** A server process that answered. */
export interface Child {
  readonly pid: number
  /** Settles when it ends, for whatever reason, with a few words that say how. */
  readonly exited: Promise<string>
  /** Ends it and resolves when it is gone. */
  stop(): Promise<void>
}

/** A server that says nothing at all for so long is broken; one that reports that it is loading may take hours. */
const SILENT_MS = 60_000
const PROBE_EVERY_MS = 15
const PROGRESS_EVERY_MS = 5_000
const LOG_KEPT_BYTES = 10 * 1024 * 1024

/**
 * Ends what an earlier start left behind, starts the server and waits until it is ready.
 * @throws ServerStartFailed when it ends or stays silent
 */
export async function launch(plan: Launch, log: (line: string) => void, signal?: AbortSignal): Promise<Child> {
  await endLeftover(plan, log)
  plan.prepare?.()
  if (sizeOf(plan.logFile) > LOG_KEPT_BYTES) renameSync(plan.logFile, `${plan.logFile}.1`)
  const logStart = sizeOf(plan.logFile)
  const process_ = spawnLogged(plan)
  let stopping = false
  let ended: string | null = null
  const exited = new Promise<string>((resolve) => {
    process_.once('error', (error) => resolve(error.message))
    process_.once('exit', (code, by) => resolve(by === null ? `it exited with code ${code}` : `it was ended by ${by}`))
  }).then((how) => {
    ended = how
    if (!stopping) removePidFile(plan.pidFile)
    return how
  })
  const pid = process_.pid
  if (pid === undefined) throw failed(plan, await exited, logStart)
  writePidFile(plan.pidFile, pid)
  const stop = async (): Promise<void> => {
    stopping = true
    const identity = ended === null ? identify(pid) : null
    if (identity !== null) await endProcess(identity, plan.stopSignal)
    await exited
    removePidFile(plan.pidFile)
  }
  try {
    await untilReady(plan, () => ended, logStart, log, signal)
  } catch (error) {
    await stop()
    throw error
  }
  return { pid, exited, stop }
}

async function endLeftover(plan: Launch, log: (line: string) => void): Promise<void> {
  const leftover = findLeftover(plan.pidFile, plan.serverPidFile, plan.mark)
  if (leftover === null) return
  log(`Ending ${plan.name} (process ${leftover.pid}), which an earlier start left behind.`)
  await endProcess(leftover, plan.stopSignal)
  removePidFile(plan.pidFile)
}

function spawnLogged(plan: Launch): ChildProcess {
  const output = openSync(plan.logFile, 'a', 0o600)
  try {
    return spawn(plan.command, plan.args, {
      cwd: plan.cwd,
      env: plan.env,
      detached: true,
      stdio: ['ignore', output, output],
      ...(plan.runAs && { uid: plan.runAs.uid, gid: plan.runAs.gid }),
    })
  } finally {
    closeSync(output)
  }
}

async function untilReady(
  plan: Launch,
  ended: () => string | null,
  logStart: number,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const startedMs = performance.now()
  let heardMs = startedMs
  let reportedMs = startedMs
  for (;;) {
    const answer = await plan.probe()
    const how = ended()
    if (how !== null) throw failed(plan, how, logStart)
    if (answer.ready) return
    signal?.throwIfAborted()
    const nowMs = performance.now()
    if (answer.progress !== null) heardMs = nowMs
    if (answer.progress !== null && nowMs - reportedMs >= PROGRESS_EVERY_MS) {
      reportedMs = nowMs
      log(`${plan.name} is getting ready: ${answer.progress}.`)
    }
    if (nowMs - heardMs > SILENT_MS) throw failed(plan, `it has not answered for ${SILENT_MS / 1000} s`, logStart)
    await sleep(PROBE_EVERY_MS)
  }
}

/** @param logStart where this start's part of the log begins: what an earlier one complained of explains nothing */
function failed(plan: Launch, how: string, logStart: number): ServerStartFailed {
  const said = readFrom(plan.logFile, logStart)
  const tail = said.split('\n').slice(-4).join(' | ') || 'nothing'
  return new ServerStartFailed(`${plan.name} did not start: ${how}; the end of ${plan.logFile} says: ${tail}`, {
    server: plan.name,
    logFile: plan.logFile,
    obstacle: obstacleIn(said),
  })
}

function obstacleIn(said: string): Obstacle {
  if (/address already in use/i.test(said)) return 'port'
  // Postgres, when its first process was killed and those of its connections have yet to notice.
  return /pre-existing shared memory block/.test(said) ? 'predecessor' : null
}

function readFrom(path: string, start: number): string {
  try {
    return readFileSync(path).subarray(start).toString('utf8').trimEnd()
  } catch {
    return ''
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
