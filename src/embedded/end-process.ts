/** Ends a server process politely, and by force only when it doesn't go. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning, type ProcessIdentity } from './process-identity.ts'

/** Redis writes and syncs its log on SIGTERM, Postgres writes a checkpoint on SIGINT: on a slow disk that takes a while. */
const POLITE_MS = 30_000
const FORCED_MS = 5_000
const LOOK_EVERY_MS = 10

/**
 * Resolves when the process is gone; at once when it already is.
 * @param signal the one that this server takes as: finish cleanly, and don't wait for your clients
 * @returns whether it went by itself; false when it had to be killed
 */
export async function endProcess(
  process_: ProcessIdentity,
  signal: NodeJS.Signals,
  politeMs = POLITE_MS,
): Promise<boolean> {
  send(process_, signal)
  send(process_, 'SIGCONT') // a stopped process would not hear of it
  if (await gone(process_, politeMs)) return true
  send(process_, 'SIGKILL')
  await gone(process_, FORCED_MS)
  return false
}

function send({ pid, started }: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning({ pid, started })) return
  try {
    process.kill(pid, signal)
  } catch {
    // It went between looking and sending.
  }
}

async function gone(process_: ProcessIdentity, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += LOOK_EVERY_MS) {
    if (!isRunning(process_)) return true
    await sleep(LOOK_EVERY_MS)
  }
  return !isRunning(process_)
}
