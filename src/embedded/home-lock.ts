/**
 * Lets one process at a time run on a home. The lock survives kill -9 as a file, and is known to be stale because the
 * process it names no longer runs. Lock files are numbered and only the highest counts: taking over a stale number N is
 * creating N+1, which the file system lets exactly one process do. (Removing a stale file and creating it again would
 * let two starters remove each other's.)
 */
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HomeInUse, HomeUnusable } from './errors.ts'
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts'

/** The right to run on a home, until `release`. */
export interface HomeLock {
  release(): void
}

/**
 * Takes the lock of a home that exists already.
 * @throws HomeInUse when a living process has it, this one included
 */
export function lockHome(home: string): HomeLock {
  const me = identify(process.pid)
  if (me === null) throw new HomeUnusable('This system does not tell when a process started: is /proc or ps missing?')
  const draft = join(home, `lock-draft.${process.pid}.${Math.random().toString(36).slice(2)}`)
  writeFileSync(draft, JSON.stringify(me), { mode: 0o644 })
  try {
    return take(home, draft)
  } finally {
    rmSync(draft, { force: true })
  }
}

function take(home: string, draft: string): HomeLock {
  for (;;) {
    const highest = numbersIn(home)[0] ?? 0
    const holder = highest === 0 ? null : holderOf(home, highest)
    if (holder !== null && isRunning(holder)) throw new HomeInUse({ home, pid: holder.pid })
    const mine = highest + 1
    if (!created(draft, lockFile(home, mine))) continue // another starter was faster: look at what it wrote
    const numbers = numbersIn(home)
    if (numbers[0] !== mine) {
      // The number was free only because its taker has come and gone meanwhile; a later one has the lock.
      rmSync(lockFile(home, mine), { force: true })
      continue
    }
    for (const number of numbers.slice(1)) rmSync(lockFile(home, number), { force: true })
    return { release: () => release(home, mine) }
  }
}

/** The file stays, so that its number is not given twice; an empty object names no process. */
function release(home: string, number: number): void {
  const draft = join(home, `lock-draft.${process.pid}.released`)
  try {
    writeFileSync(draft, '{}')
    renameSync(draft, lockFile(home, number))
  } catch {
    // The home itself was removed: nothing is left to unlock.
  }
}

/** Link rather than open: the file appears with its content, never half-written. */
function created(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function holderOf(home: string, number: number): ProcessIdentity | null {
  try {
    const held: Partial<ProcessIdentity> = JSON.parse(readFileSync(lockFile(home, number), 'utf8'))
    return held.pid === undefined || held.started === undefined ? null : { pid: held.pid, started: held.started }
  } catch {
    return null // taken over and removed between listing and reading
  }
}

function numbersIn(home: string): number[] {
  const names = readdirSync(home).map((name) => /^lock\.(\d+)$/.exec(name)?.[1])
  return names
    .filter((number) => number !== undefined)
    .map(Number)
    .sort((a, b) => b - a)
}

function lockFile(home: string, number: number): string {
  return join(home, `lock.${number}`)
}
