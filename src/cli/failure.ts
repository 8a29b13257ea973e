/** How a command that failed says so. */
import { CommanderError } from 'commander'
import type { Environment } from '../config.ts'
import { AppError, SettingInvalid } from '../errors.ts'

/** The exit codes: it worked, it failed, it was called wrongly. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const

/** The command was called wrongly. Remedy: see its `--help`. */
export class UsageInvalid extends AppError {
  readonly code = 'USAGE_INVALID'
}

/** The command couldn't do what was asked. Remedy: what its message says. */
export class CommandFailed extends AppError {
  readonly code = 'COMMAND_FAILED'
}

/** The command did what was asked, and the answer is an exit code of its own. */
export class ExitWith extends Error {
  readonly exit: number

  constructor(exit: number) {
    super(`exit code ${exit}`)
    this.exit = exit
  }
}

/** The lines for standard error and the exit code. An error of ours speaks for itself; another one leads to its stack. */
export function describeFailure(error: unknown, env: Environment): { readonly lines: string[]; readonly exit: number } {
  if (error instanceof CommanderError) return { lines: [], exit: error.exitCode === 0 ? EXIT.ok : EXIT.usage } // it has spoken
  if (error instanceof ExitWith) return { lines: [], exit: error.exit }
  const debug = ['debug', 'trace'].includes(env['MILLRACE_LOG_LEVEL']?.toLowerCase() ?? '')
  if (error instanceof AppError) {
    const lines = error.message.split('\n').map((line) => `millrace: ${line}`)
    if (debug) lines.push(error.stack ?? '')
    return { lines, exit: isUsage(error) ? EXIT.usage : EXIT.failed }
  }
  if (debug && error instanceof Error) return { lines: [`millrace: ${error.stack}`], exit: EXIT.failed }
  const message = error instanceof Error ? error.message || error.name : String(error)
  return { lines: [`millrace: ${message} (run with MILLRACE_LOG_LEVEL=debug for the stack)`], exit: EXIT.failed }
}

function isUsage(error: AppError): boolean {
  if (error instanceof UsageInvalid) return true
  return error instanceof SettingInvalid && error.facts.problems.every(({ name }) => name.startsWith('--'))
}
