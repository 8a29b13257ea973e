import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type pg from 'pg'
import {
  type ArchivePlace,
  listArchive,
  openArchive,
  readManifests,
  restoreDay,
  verifyDay,
  writeDay,
} from '#src/archive/index.ts'
import { loadSettings } from '#src/config.ts'
import { ArchiveUnavailable } from '#src/errors.ts'
import { dayOf } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { detachDay, detachedDays } from '#src/store/retention/detach-day.ts'
import { archiveIn, DAY_MS, logWorld, NOW } from '../retention/log-world.ts'
import { startProxy } from '../servers/proxy.ts'
import { ownS3 } from '../servers/s3.ts'
import { makeTemporaryHome } from '../servers/temporary-home.ts'
import { encode, entryOf, sentAt } from '../store/event-rows.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'

const MARCH_3 = dayOf(Date.parse('2026-03-03'))
const signal = new AbortController().signal

async function folder(t: TestScope): Promise<ArchivePlace> {
  const home = makeTemporaryHome()
  t.after(async () => rmSync(home, { recursive: true }))
  return open({ MILLRACE_ARCHIVE_URL: pathToFileURL(`${home}/archive of days`).href })
}

async function bucket(t: TestScope): Promise<ArchivePlace> {
  return open({ ...(await ownS3(t)).environment })
}

function open(env: Record<string, string>): ArchivePlace {
  return openArchive(loadSettings({ env }).settings) as ArchivePlace
}

/** Rows as they are, the position and the bytes of the payload included. */
async function rowsOf(pool: pg.Pool): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select occurred::text, id, event, resource_id, terms, received::text, partition, entry_ms, entry_seq, entry_index,
       follows, resource::text, related::text, payload::text from event order by id`,
  )
  return rows
}

/** Events with what JSON can do to whoever reads it, in several partitions. */
async function putOdd(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  const odd = {
    event: 'pay.ment.\u00e9"\\',
    resource: { 'prefect.resource.id': 'order.1', payload: '{"payload":1}', 'a"b': '\u2028' },
    related: [{ 'prefect.resource.id': 'flow-run.1', 'prefect.resource.role': 'flow-run', payload: ',"payload":{}' }],
    payload: { '': '\u0000\ud800', payload: [true, '12345678901234567890'], text: 'line\nend' },
    follows: '00000000-0000-4000-8000-000000000000',
  }
  await copyEntries(client, [entryOf(encode(sentAt('2026-03-03T23:59:59.999999Z', 3), odd), 1, 2)])
  await copyEntries(client, [entryOf(encode(sentAt('2026-03-03T00:00:00Z', 3), odd), 2, 1)])
  client.release()
}

for (const [kind, make] of Object.entries({ 'a folder': folder, 'a bucket of S3': bucket })) {
  test(`a day goes to ${kind}, is checked, and comes back row for row`, async (t) => {
    const place = await make(t)
    const { pool, put, prune, tables, makeDays } = await logWorld(t)
    await makeDays(['2026-03-03'])
    await putOdd(pool)
    await put('2026-03-03T12:00:00.123456Z', 'order.placed', 2_000)
    const before = await rowsOf(pool)
    const archive = archiveIn(place, { pool, partBytes: 20_000 })
    const { events, days } = await prune(archive)
    assert.deepEqual([events, days, await tables()], [2_006, 1, []])
    const [listed] = (await listArchive(place)).days
    assert.deepEqual([listed?.day, listed?.generation, listed?.events], ['2026-03-03', 1, 2_006])
    assert.equal(listed?.oldest, '2026-03-03T00:00:00.000000Z')
    assert.ok((listed?.parts ?? 0) > 1)

    const manifests = (await readManifests(place, '2026-03-03')).map(({ manifest }) => manifest)
    assert.equal(await verifyDay(place, manifests[0] as (typeof manifests)[0]), null)
    const options = { place, pool, nowMs: () => NOW, forMs: DAY_MS, signal }
    assert.deepEqual(await restoreDay(manifests, options), { events: 2_006, added: 2_006 })
    assert.deepEqual(await rowsOf(pool), before)
    assert.deepEqual(await restoreDay(manifests, options), { events: 2_006, added: 0 })

    assert.equal((await prune(archive)).waiting, 1) // what was restored stays for a while
    assert.equal((await prune({ ...archive, nowMs: () => NOW + DAY_MS + 1 })).events, 2_006)
    assert.equal((await listArchive(place)).days.length, 2)
  })

  test(`what was cut off on its way to ${kind} is done again, and never taken for whole`, async (t) => {
    const place = await make(t)
    const { pool, put, prune, makeDays } = await logWorld(t)
    await makeDays(['2026-03-03'])
    await put('2026-03-03T12:00:00Z', 'order.placed', 300)
    await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 1_000 })
    const [day] = await detachedDays(pool)
    assert.ok(day)
    let puts = 0
    const dying: ArchivePlace = {
      ...place,
      async put(key, bytes) {
        if (++puts % 3 === 0) throw new Error('the process dies here')
        return place.put(key, bytes)
      },
    }
    const options = { pool, nowMs: Date.now, signal, partBytes: 20_000 }
    const killed: ArchivePlace = { ...dying, remove: async () => {} } // a process that is killed removes nothing
    await assert.rejects(writeDay(day, { ...options, place: killed }), /dies here/)
    assert.deepEqual((await listArchive(place)).days, [])
    const [rest] = await place.listWritten('events/')
    assert.ok(Math.abs((rest?.writtenMs ?? 0) - Date.now()) < 60_000)
    await writeDay(day, { ...options, place, partBytes: 30_000 })
    const [stored] = await readManifests(place)
    assert.equal(stored?.manifest.events, 300)
    const again = await writeDay(day, { ...options, place })
    assert.deepEqual(again, stored) // nothing is written twice
    const { events } = await prune(archiveIn(place, { pool }))
    assert.equal(events, 300)
    const whole = (stored?.manifest.parts.length ?? 0) + 1
    assert.equal((await place.list('events/')).length, whole) // the rest is tidied away
    await place.put(`events/2026-03-03/1-00000000/00001.ndjson.gz`, Buffer.from('of a process that was killed then'))
    await prune(archiveIn(place, { pool }))
    assert.equal((await place.list('events/')).length, whole)
  })
}

test('a day goes to S3 although its connections are cut, and nothing is there of one that was given up', async (t) => {
  const { environment } = await ownS3(t)
  const proxy = await startProxy(t, environment.MILLRACE_ARCHIVE_S3_ENDPOINT ?? '')
  const place = open({ ...environment, MILLRACE_ARCHIVE_S3_ENDPOINT: proxy.url })
  const { pool, put, makeDays } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed', 300)
  await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 1_000 })
  const [day] = await detachedDays(pool)
  assert.ok(day)
  const options = { place, pool, nowMs: Date.now, partBytes: 30_000 }

  const giveUp = new AbortController()
  const given = writeDay(day, { ...options, signal: giveUp.signal, onProgress: () => proxy.silence() })
  await waitUntil(async () => (await open(environment).list('events/')).length > 0)
  giveUp.abort(new Error('asked to stop'))
  await assert.rejects(given, /asked to stop/)
  assert.deepEqual((await listArchive(open(environment))).days, [])
  proxy.resume()

  let cuts = 0
  const onProgress = () => {
    if (cuts < 2) cuts += proxy.cut() > 0 ? 1 : 0
  }
  const { manifest } = await writeDay(day, { ...options, signal, onProgress })
  assert.equal(cuts, 2)
  assert.deepEqual([manifest.events, await verifyDay(place, manifest)], [300, null])
})

test('a part that was changed, cut or lost is seen', async (t) => {
  const place = await folder(t)
  const { pool, put, makeDays } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed', 100)
  await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 1_000 })
  const [day] = await detachedDays(pool)
  assert.ok(day)
  const { manifest } = await writeDay(day, { place, pool, nowMs: Date.now, signal })
  const [part] = manifest.parts
  assert.ok(part)
  const right = (await place.get(part.key)) as Buffer
  await place.put(part.key, right.subarray(0, -5))
  assert.match((await verifyDay(place, manifest)) ?? '', /00001\.ndjson\.gz can't be unpacked/)
  await place.remove(part.key)
  assert.match((await verifyDay(place, manifest)) ?? '', /00001\.ndjson\.gz is missing/)
  const again = await writeDay(day, { place, pool, nowMs: Date.now, signal }) // what is damaged is not relied on
  assert.equal(await verifyDay(place, again.manifest), null)
  assert.equal(again.manifest.events, 100)
})

test('an archive that is not there, or that does not know the key, says so in a sentence', async (t) => {
  const { environment, stop } = await ownS3(t)
  const wrong = open({ ...environment, MILLRACE_ARCHIVE_S3_SECRET_ACCESS_KEY: 'no' })
  await assert.rejects(wrong.put('a', Buffer.from('b')), {
    code: 'ARCHIVE_UNAVAILABLE',
    message: /answered 403 SignatureDoesNotMatch\.$/,
  })
  const missing = open({ ...environment, MILLRACE_ARCHIVE_URL: 's3://another-bucket' })
  await assert.rejects(missing.put('a', Buffer.from('b')), { message: /another-bucket at .* is no bucket/ })
  assert.equal(await open({ ...environment }).get('none'), null)
  await stop()
  await assert.rejects(open({ ...environment }).get('none'), { message: /can't be reached/ })
  const folder = open({ MILLRACE_ARCHIVE_URL: 'file:///dev/null/nowhere' })
  await assert.rejects(folder.put('a', Buffer.from('b')), { message: /the folder \/dev\/null\/nowhere can't be used/ })
})

test('an attempt that fails leaves nothing behind, one that was killed leaves it until it is old', async (t) => {
  const place = await folder(t)
  const { pool, put, makeDays } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed', 600)
  await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 1_000 })
  const [day] = await detachedDays(pool)
  assert.ok(day)
  const full: ArchivePlace = {
    ...place,
    // How many parts there are is up to the chunks that Postgres sends; what comes after the last one is the manifest.
    put: (key, bytes) =>
      key.endsWith('00002.ndjson.gz') ? Promise.reject(new ArchiveUnavailable('no space')) : place.put(key, bytes),
  }
  const options = { pool, signal, partBytes: 20_000 }
  await assert.rejects(writeDay(day, { ...options, place: full, nowMs: Date.now }), /no space/)
  assert.deepEqual(await place.list('events/'), [])

  const killed = 'events/2026-03-03/1-00000000/00001.ndjson.gz'
  await place.put(killed, Buffer.from('of a process that was killed'))
  let puts = 0
  const stopping = new AbortController()
  const asked: ArchivePlace = {
    ...place,
    async put(key, bytes) {
      await place.put(key, bytes)
      if (++puts === 2) stopping.abort(new Error('asked to stop'))
    },
  }
  await assert.rejects(
    writeDay(day, { ...options, place: asked, signal: stopping.signal, nowMs: Date.now }),
    /asked to stop/,
  )
  assert.equal((await place.list('events/')).length, 3)
  const { manifest } = await writeDay(day, { ...options, place, nowMs: () => Date.now() + 2 * DAY_MS })
  assert.deepEqual(
    (await place.list('events/')).map((key) => key.endsWith('/manifest.json')).filter((isIt) => isIt).length,
    1,
  )
  assert.equal((await place.list('events/')).length, manifest.parts.length + 1)
})

test('a file that could not be written whole leaves nothing', async (t) => {
  const place = await folder(t)
  await place.put('events/a/b', Buffer.from('x'))
  await assert.rejects(place.put('events/a/b/c', Buffer.from('y')), { code: 'ARCHIVE_UNAVAILABLE' })
  await assert.rejects(place.put('events/a', Buffer.from('y')), { code: 'ARCHIVE_UNAVAILABLE' }) // a folder has its name
  assert.deepEqual(await place.list(''), ['events/a/b'])
})

test('of a damaged day nothing is brought back', async (t) => {
  const place = await folder(t)
  const { pool, put, prune, makeDays, tables } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed', 300)
  await prune(archiveIn(place, { pool, partBytes: 20_000 }))
  const manifests = (await readManifests(place)).map(({ manifest }) => manifest)
  const last = manifests[0]?.parts.at(-1)?.key ?? ''
  assert.match(last, /0000[2-9]/)
  const right = (await place.get(last)) as Buffer
  await place.put(last, right.subarray(0, -5))
  const options = { place, pool, nowMs: () => NOW, forMs: DAY_MS, signal }
  await assert.rejects(restoreDay(manifests, options), { code: 'ARCHIVE_DAMAGED' })
  assert.deepEqual(await tables(), [])
  assert.equal((await pool.query('select from held_day')).rowCount, 0)
  await place.put(last, right)
  assert.equal((await restoreDay(manifests, options)).added, 300)
})
