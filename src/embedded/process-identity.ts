/**
 * Tells one process from a later one with the same pid, so that nobody ends, or waits for, a stranger: pids are used
 * again, and in a container they even tend to be the same ones after each start.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A pid and when that process began, in whatever form this system gives; equal only for the same process. */
export interface ProcessIdentity {
  readonly pid: number
  readonly started: string
}

/** The process that has this pid now; null when there is none, or only its corpse (a zombie nobody has reaped). */
export function identify(pid: number): ProcessIdentity | null {
  const found = process.platform === 'linux' ? statOf(pid) : psOf(pid)
  return found === null || found.state.startsWith('Z') ? null : { pid, started: found.started }
}

/** Whether that very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started
}

/** The command line with its arguments separated by blanks; empty when there is no such process. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return ps(pid, 'args=')
  } catch {
    return ''
  }
}

/** The pids that this process has started and that still run. */
export function childrenOf(pid: number): number[] {
  try {
    const children =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        : execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    return children.split(/\s+/).filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** See proc(5): the name in brackets may hold blanks and brackets, so the fields are counted from the last one. */
function statOf(pid: number): { state: string; started: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const state = fields[0]
    const ticks = fields[19]
    return state === undefined || ticks === undefined ? null : { state, started: `${bootId()}/${ticks}` }
  } catch {
    return null
  }
}

/** Start times count from the boot, so two boots could give the same one. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

function psOf(pid: number): { state: string; started: string } | null {
  try {
    return { state: ps(pid, 'stat='), started: ps(pid, 'lstart=') }
  } catch {
    return null
  }
}

function ps(pid: number, column: string): string {
  const env = { ...process.env, LC_ALL: 'C' }
  return execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], { encoding: 'utf8', env }).trim()
}
