/** Runs what `server start` and `services start` begin, until it is asked to stop. */
import type { Log } from '../log.ts'
import type { RunningServer } from './rooms.ts'
import { stopped } from './stop.ts'
import type { Terminal } from './terminal.ts'

/** Starts, prints what to know, waits for the stop signal and stops. A stop asked for during the start follows it. */
export async function runUntilStopped(
  terminal: Terminal,
  log: Log,
  start: () => Promise<RunningServer>,
): Promise<void> {
  const running = await start()
  try {
    for (const line of running.lines) await terminal.print(line)
    await stopped(terminal.stop)
    log.info('stopping; ask again to force it')
  } finally {
    await running.stop()
  }
  log.info('stopped')
}
