/** `millrace server start`: the API, and unless told otherwise the background services, until it is asked to stop. */
import { Command } from 'commander'
import { loadApp } from './rooms.ts'
import { runUntilStopped } from './run.ts'
import { logFor, settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace server start                      with an embedded Postgres and Redis, nothing to set up
  $ MILLRACE_REDIS_URL=redis://redis:6379 MILLRACE_DATABASE_URL=postgresql://me:secret@db/millrace \\
      millrace server start --host 0.0.0.0 --no-services`

export function serverStartCommand(terminal: Terminal): Command {
  return new Command('start')
    .description('start the API server and the background services; Ctrl-C stops them')
    .option('--host <address>', 'address to listen on (MILLRACE_SERVER_HOST)')
    .option('--port <number>', 'port to listen on, 0 for a free one (MILLRACE_SERVER_PORT)')
    .option('--no-services', 'only the API; run `millrace services start` elsewhere')
    .addHelpText('after', EXAMPLES)
    .action(async ({ host, port, services }: { host?: string; port?: string; services: boolean }) => {
      const loaded = settingsFor(terminal, { 'server.host': ['--host', host], 'server.port': ['--port', port] })
      const log = logFor(loaded)
      const { startServer } = await loadApp()
      await runUntilStopped(terminal, log, () => startServer({ ...loaded, log, withApi: true, withServices: services }))
    })
}
