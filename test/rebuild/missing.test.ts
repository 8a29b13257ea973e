import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { folderArchive } from '#src/archive/folder.ts'
import { findMissing } from '#src/rebuild/missing.ts'
import { archiveIn, logWorld, NOW } from '../retention/log-world.ts'
import { makeTemporaryHome } from '../servers/temporary-home.ts'

test('a day whose manifest can’t be read is missing, and the others are read from the archive', async (t) => {
  const home = makeTemporaryHome()
  t.after(async () => rmSync(home, { recursive: true }))
  const place = folderArchive(pathToFileURL(home).href)
  const { pool, put, prune, needs, makeDays } = await logWorld(t)
  await makeDays(['2026-03-02', '2026-03-03'])
  for (const day of ['2026-03-02', '2026-03-03']) await put(`${day}T12:00:00Z`, 'order.placed')
  await prune(archiveIn(place, { pool }))
  const look = () => findMissing({ db: pool, place, policy: needs({}).policy, nowMs: () => NOW }, [])
  const whole = await look()
  assert.deepEqual([whole.before, whole.archived.map(({ day }) => day)], [null, ['2026-03-02', '2026-03-03']])

  const [first = ''] = (await place.list('events/2026-03-02/')).filter((key) => key.endsWith('manifest.json'))
  await place.put(first, Buffer.from('{'))
  const { before, archived } = await look()
  assert.deepEqual([before, archived.map(({ day }) => day)], ['2026-03-03T00:00:00.000000Z', ['2026-03-03']])
})
