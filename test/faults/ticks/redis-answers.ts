/** A Redis that answers with errors of its own: MISCONF, LOADING. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { waitUntil } from '#test/wait-until.ts'

/** At each command of the file; every 1,024 of them Redis looks at its sockets. */
const LOAD_DELAY_US = '300'

/**
 * Makes every snapshot fail, and Redis refuse to write because of it; or puts that right. Where the snapshot's file would be
 * there is a folder: permissions would not keep root from writing.
 */
export async function setSnapshotsFail(redis: Redis, fail: boolean): Promise<void> {
  const [, folder = ''] = (await redis.config('GET', 'dir')) as string[]
  const file = join(folder, 'dump.rdb')
  if (!fail) {
    await redis.config('SET', 'stop-writes-on-bgsave-error', 'no')
    await redis.config('SET', 'save', '')
    rmSync(file, { recursive: true })
    return
  }
  rmSync(file, { force: true }) // as one that followed another has it
  mkdirSync(file)
  await redis.config('SET', 'stop-writes-on-bgsave-error', 'yes')
  await redis.config('SET', 'save', '3600 1')
  await redis.bgsave()
  await waitUntil(async () => /rdb_last_bgsave_status:err/.test(await redis.info('persistence')), {
    what: 'a snapshot to fail',
  })
}

/** Has Redis load its file anew, slowly: it has its own means for that, which waits at each command of the file. */
export async function load(redis: Redis, lasts: () => Promise<void>): Promise<void> {
  const other = redis.duplicate({ retryStrategy: null })
  other.on('error', () => {})
  try {
    await other.ping() // one that connects while Redis loads would wait until it has
    await redis.config('SET', 'key-load-delay', LOAD_DELAY_US)
    const loaded = redis.call('DEBUG', 'LOADAOF')
    let isOver = false
    const ended = loaded.finally(() => {
      isOver = true
    })
    ended.catch(() => {})
    const answer = () => other.exists('any').then(String, (error: Error) => error.message)
    await waitUntil(async () => isOver || /^LOADING/.test(await answer()), { what: 'Redis to load' })
    await Promise.race([lasts(), ended])
    await other.config('SET', 'key-load-delay', '0')
    await ended
  } finally {
    other.disconnect()
  }
}
