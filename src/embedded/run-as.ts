/**
 * Postgres refuses to run as root, so root starts it as somebody with fewer rights. Whether that user can reach a
 * folder is tried out rather than derived from mode bits: it also depends on every folder above, ACLs and mounts.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { HomeUnusable } from './errors.ts'

/** The user to start a process as; null for the one we are. */
export type RunAs = { readonly uid: number; readonly gid: number; readonly name: string } | null

/** `postgres` is made for it; `nobody` exists everywhere. */
const CANDIDATES = ['postgres', 'nobody']

/**
 * Who Postgres runs as: the owner of the data where there is some, so that installing another Postgres on the machine
 * later doesn't lock this one out.
 * @param data the folder with Postgres' own files; may not exist yet
 */
export function postgresUser(data: string): RunAs {
  if (process.getuid?.() !== 0) return null
  const owner = statSync(data, { throwIfNoEntry: false })
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid, name: String(owner.uid) }
  for (const name of CANDIDATES) {
    const found = lookUp(name)
    if (found !== null) return found
  }
  throw new HomeUnusable(
    `Postgres refuses to run as root and this system has no user ${CANDIDATES.join(' or ')}: start as another user.`,
  )
}

/** Whether this user can pass through the folder. */
export function canReach(runAs: RunAs, folder: string): boolean {
  return tryAs(runAs, '/bin/sh', ['-c', 'cd "$1"', 'sh', folder]).ok
}

/** Runs a short command as that user, in `/`, and says what it printed. */
export function tryAs(runAs: RunAs, command: string, args: readonly string[]): { ok: boolean; output: string } {
  const user = runAs === null ? {} : { uid: runAs.uid, gid: runAs.gid }
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: '/', encoding: 'utf8', ...user })
  return { ok: status === 0, output: error?.message ?? `${stdout}${stderr}`.trim() }
}

function lookUp(name: string): RunAs {
  const line = readPasswd().find((entry) => entry.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0, name }
  return null
}

function readPasswd(): string[] {
  try {
    return readFileSync('/etc/passwd', 'utf8').split('\n')
  } catch {
    return []
  }
}
