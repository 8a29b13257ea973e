import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { type ArchivePlace, linesOf, openArchive, readManifests, readPart, verifyDay } from '#src/archive/index.ts'
import { loadSettings } from '#src/config.ts'
import { dayOf } from '#src/store/day-partitions.ts'
import { detachDay } from '#src/store/retention/detach-day.ts'
import { archiveIn, logWorld } from '../retention/log-world.ts'
import { makeTemporaryHome } from '../servers/temporary-home.ts'

const DATES = ['2026-03-02', '2026-03-03', '2026-03-04']

test('processes that finish the same days at once leave all of them in the archive', async (t) => {
  const home = makeTemporaryHome()
  t.after(async () => rmSync(home, { recursive: true }))
  const url = pathToFileURL(home).href
  const place = openArchive(loadSettings({ env: { MILLRACE_ARCHIVE_URL: url } }).settings) as ArchivePlace
  const { put, prune, pool, tables, makeDays } = await logWorld(t)
  await makeDays(DATES)
  const ids: string[] = []
  for (const date of DATES) {
    ids.push(...(await put(`${date}T12:00:00Z`, 'order.placed', 300)))
    await detachDay(pool, dayOf(Date.parse(date)), { keptOf: () => [], withinMs: 1_000 })
  }
  /** Each ends its parts elsewhere, and takes another time for each. */
  const finishing = (partBytes: number, pauseMs: number) => {
    const put: ArchivePlace['put'] = async (key, bytes, signal) => {
      await sleep(pauseMs)
      await place.put(key, bytes, signal)
    }
    return prune(archiveIn({ ...place, put }, { pool, partBytes }))
  }
  const ran = await Promise.all([finishing(20_000, 5), finishing(13_000, 7), finishing(30_000, 11)])
  assert.equal(
    ran.reduce((sum, { days }) => sum + days, 0),
    DATES.length,
    'each day is counted once',
  )
  assert.deepEqual(await tables(), [])
  const archived = await reliable(place)
  assert.deepEqual([...archived].sort(), ids.sort(), 'what was dropped is not in the archive')
})

/** Ids of all events that can be read back. */
async function reliable(place: ArchivePlace): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const { manifest } of await readManifests(place)) {
    if ((await verifyDay(place, manifest)) !== null) continue
    for (const part of manifest.parts)
      for (const line of linesOf(await readPart(place, part))) ids.add(JSON.parse(line.toString('utf8')).id)
  }
  return ids
}
