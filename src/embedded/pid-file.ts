/**
 * Remembers which server processes were started, so that the next start can end those that a killed parent left behind.
 * A file is believed only as far as it can be verified: nothing is ever sent to a pid that a stranger has by now.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { commandLine, identify, isRunning, type ProcessIdentity } from './process-identity.ts'

/** Notes a process that was just started; at once, since a parent killed before this leaves an unknown child. */
export function writePidFile(path: string, pid: number): void {
  const identity = identify(pid)
  if (identity !== null) writeFileSync(path, JSON.stringify(identity))
}

/** Forgets the process; no harm when there is no file. */
export function removePidFile(path: string): void {
  rmSync(path, { force: true })
}

/**
 * The process left behind by an earlier start; null when none runs any more.
 * @param path the file written by `writePidFile`
 * @param serverFile the server's own pid file (its first line is the pid): covers a parent killed before it could write
 * @param mark stands in the command line of this server and of no other: the path of its configuration or data
 */
export function findLeftover(path: string, serverFile: string, mark: string): ProcessIdentity | null {
  const noted = readJson(path)
  if (noted !== null && isRunning(noted) && commandLine(noted.pid).includes(mark)) return noted
  const pid = Number.parseInt(read(serverFile), 10)
  return pid > 0 && commandLine(pid).includes(mark) ? identify(pid) : null
}

function readJson(path: string): ProcessIdentity | null {
  try {
    const noted: Partial<ProcessIdentity> = JSON.parse(read(path))
    const { pid, started } = noted
    return pid === undefined || started === undefined ? null : { pid, started }
  } catch {
    return null // none, or cut short by a full disk: then the server's own file has to do
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
