/**
 * Finds a redis-server that is new enough: in PATH, else the one fetched earlier, else from the system's package
 * archive without installing it, else (as root) installed; else one sentence says what to type.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { cacheFolder } from './cache-folder.ts'
import { ServerMissing, ServerTooOld } from './errors.ts'
import { installCommand, installPackage } from './system-packages.ts'
import { unpackedRedis, unpackRedis } from './unpack-redis.ts'

/** A program to start, and what its environment needs so that it finds its libraries. */
export interface RedisBinary {
  readonly command: string
  readonly libraryPath: string | null
  readonly version: string
}

/** XAUTOCLAIM that reports deleted entries, and functions, came with 7.0. */
const OLDEST = '7.0.0'
/** Valkey is a fork of Redis 7.2, so that every version of it is new enough. */
const NAMES = ['redis-server', 'valkey-server']

/** Where to look; the defaults are right for everything but tests. */
export interface RedisSearch {
  readonly path?: string
  readonly cacheDir?: string
  readonly log?: (line: string) => void
}

/**
 * @throws ServerTooOld when the only one on this machine is older than 7.0
 * @throws ServerMissing when there is none and none can be had
 */
export async function findRedis(search: RedisSearch = {}): Promise<RedisBinary> {
  const path = search.path ?? process.env['PATH'] ?? ''
  const installed = inPath(path)
  if (installed !== null) return installed
  const cacheDir = search.cacheDir ?? cacheFolder()
  const cached = unpackedRedis(cacheDir)
    .map(asBinary)
    .find((binary) => binary !== null && isNewEnough(binary))
  if (cached) return cached
  const log = search.log ?? (() => {})
  const unpacked = await unpackRedis(cacheDir, log)
  if (unpacked !== null) return newEnough(asBinary(unpacked))
  if (await installPackage(log)) {
    const now = inPath(path)
    if (now !== null) return now
  }
  throw new ServerMissing(
    `No redis-server 7.0 or newer was found and none could be fetched: run '${installCommand()}', ` +
      'or set MILLRACE_REDIS_URL to a running one.',
  )
}

/** Reads what `redis-server --version` prints: `Redis server v=7.0.15 sha=…`, `Valkey server v=8.1.1 …`; null if not that. */
export function parseVersion(output: string): string | null {
  return /\bv=(\d+\.\d+\.\d+)/.exec(output)?.[1] ?? null
}

function inPath(path: string): RedisBinary | null {
  const found = NAMES.flatMap((name) => path.split(delimiter).map((folder) => join(folder, name)))
    .filter((file) => isAbsolute(file) && isExecutable(file))
    .map((command) => asBinary({ command, libraryPath: null }))
    .filter((binary) => binary !== null)
  const first = found[0]
  if (first === undefined) return null
  return found.find(isNewEnough) ?? newEnough(first)
}

function asBinary(program: { command: string; libraryPath: string | null }): RedisBinary | null {
  const env = { ...process.env, ...(program.libraryPath !== null && { LD_LIBRARY_PATH: program.libraryPath }) }
  const { stdout, status } = spawnSync(program.command, ['--version'], { encoding: 'utf8', env })
  const version = status === 0 ? parseVersion(stdout) : null
  return version === null ? null : { ...program, version }
}

function isNewEnough(binary: RedisBinary): boolean {
  return Number.parseInt(binary.version, 10) >= Number.parseInt(OLDEST, 10)
}

function newEnough(binary: RedisBinary | null): RedisBinary {
  if (binary === null) {
    throw new ServerMissing(
      `The redis-server unpacked from this system's archive doesn't run: run '${installCommand()}', ` +
        'or set MILLRACE_REDIS_URL to a running one.',
    )
  }
  if (isNewEnough(binary)) return binary
  throw new ServerTooOld({ command: binary.command, found: binary.version, oldest: OLDEST })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
