import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { insertLosses } from '#src/store/loss.ts'
import { isoDay } from '#src/store/retention/log-days.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import { makeTemporaryHome } from '#test/servers/temporary-home.ts'
import { letter } from '#test/store/dead-letter/letters.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import type { TestScope } from '#test/world.ts'
import { millraceHere } from './in-process.ts'

const TODAY = dayOf(Date.now())

/** A server with a day that is due, one that is not, and an archive; `cli` asks it. */
async function place(t: TestScope, env: Record<string, string> = {}) {
  const home = makeTemporaryHome()
  t.after(async () => rmSync(home, { recursive: true }))
  const operator = await operatorWorld(t, {
    MILLRACE_EVENTS_RETENTION: '3d',
    MILLRACE_ARCHIVE_URL: pathToFileURL(home).href,
    ...env,
  })
  const { hot } = operator.store
  await makeDayPartitions(hot, [TODAY - 5, TODAY - 1])
  const client = await hot.connect()
  for (const [seq, day] of [TODAY - 5, TODAY - 1].entries())
    await copyEntries(client, [entryOf(encode(sentAt(`${isoDay(day)}T12:00:00Z`, 40)), seq)])
  client.release()
  await hot.query('analyze event') // or its size is all that is known
  const api = { MILLRACE_API_URL: await operator.listen() }
  return { ...operator, day: isoDay(TODAY - 5), cli: (...args: string[]) => millraceHere(args, api) }
}

test('a day is shown as due, leaves when somebody says yes, is archived, checked and brought back', async (t) => {
  const { cli, day, store } = await place(t)
  const plan = await cli('retention', 'plan')
  assert.deepEqual([plan.exit, plan.stderr], [0, ''])
  assert.match(plan.stdout, /^DAY +EVENTS +SIZE +OLDEST +NEWEST +STAY +WAITS FOR\n/)
  assert.match(plan.stdout, new RegExp(`\\n${day} +40 .*\\n\\n1 day can leave: `))

  const unasked = await cli('retention', 'prune')
  assert.equal(unasked.exit, 2)
  assert.match(unasked.stderr, /nobody is here to confirm: add --yes/)
  const pruned = await cli('retention', 'prune', '--yes')
  assert.deepEqual(
    [pruned.exit, pruned.stdout.replace(/[\d.]+ KiB/, 'N KiB')],
    [0, '1 day left: about 40 events, N KiB; 0 events and 0 rows of other tables deleted one by one.\n'],
  )
  assert.match(
    pruned.stderr,
    new RegExp(`${day} left the log; .*\\n${day} archived: 40 events in file:///.*\\n1/1 ${day} dropped`),
  )
  assert.equal((await cli('retention', 'plan')).stdout, 'Nothing is due.\n')
  assert.deepEqual(JSON.parse((await cli('retention', 'prune', '--yes', '--json')).stdout).days, 0)

  const shown = (await cli('retention', 'show')).stdout
  assert.match(shown, /^WHAT +KEPT FOR +SET BY +FROM\nevents +3d +MILLRACE_EVENTS_RETENTION +environment\n/)
  assert.match(shown, new RegExp(`\\n${day}/1 +\\S+ +dropped +40 `))

  const [listed] = JSON.parse((await cli('archive', 'ls', '--json')).stdout)
  assert.deepEqual([listed.day, listed.events], [day, 40])
  assert.equal((await cli('archive', 'verify')).stdout, '1 archived day read, 0 damaged.\n')
  const restored = await cli('archive', 'restore', '--day', day, '--for', '2d')
  assert.equal(restored.stdout, `${day} is in the log again for 2d: 40 of 40 events were not there.\n`)
  const { rows } = await store.hot.query('select count(*)::int4 as count from event')
  assert.equal(rows[0].count, 80)
  const held = await cli('retention', 'prune', '--yes')
  assert.equal(held.exit, 1)
  assert.match(held.stderr, /stays: it is held until .*\n.*1 day could not leave yet/)
})

test('dead letters, losses and ticks leave when they are old enough, those that somebody still needs excepted', async (t) => {
  const { cli, store } = await place(t, { MILLRACE_DEAD_LETTERS_RETENTION: '20d', MILLRACE_LOSSES_RETENTION: '20d' })
  const letters = Array.from({ length: 450 }, () => letter({ reason: 'old' }))
  const [fresh, requested] = [letter({ reason: 'fresh' }), letter({ reason: 'requested' })]
  await insertDeadLetters(store.hot, [...letters, fresh, requested])
  await store.hot.query(
    `update dead_letter set last_seen = now() - interval '21 days', requested_at = case reason when 'requested' then now() end
     where reason <> 'fresh'`,
  )
  const loss = { group: 'persister', partition: 0, entries: 1, events: null, cause: 'flushed', detail: '' } as const
  await insertLosses(
    store.hot,
    [1, 2].map((seq) => ({ ...loss, first: { ms: 1, seq }, last: { ms: 1, seq } })),
  )
  await store.hot.query(`update loss set detected_at = now() - interval '21 days' where first_seq = 1`)

  await store.hot.query(
    `insert into job (name, version, watermark) values ('audited', 1, now()), ('stuck', 1, now() - interval '9 days');
     insert into tick (job, scheduled_for, version, state)
     select job, now() - days * interval '1 day', 1, state
     from unnest(array['audited', 'stuck']) as job, unnest(array['done', 'open']) as state, unnest(array[6, 8, 10]) as days
     where (state = 'open') = (days = 10)`,
  )

  const plan = JSON.parse((await cli('retention', 'plan', '--json')).stdout)
  assert.deepEqual(
    plan.tables.map(({ what, rows }: { what: string; rows: number }) => [what, rows]),
    [
      ['dead letters', 450],
      ['losses', 1],
      ['ticks', 1],
    ],
  )
  const pruned = await cli('retention', 'prune', '--yes')
  assert.match(pruned.stdout, /0 events and 452 rows of other tables deleted one by one/)
  assert.match(pruned.stderr, /200 dead letters deleted so far\n.*\n450 dead letters deleted\n1 losses deleted/)
  const { rows } = await store.hot.query('select reason from dead_letter order by reason')
  assert.deepEqual(
    rows.map(({ reason }) => reason),
    ['fresh', 'requested'],
  )
  assert.match(
    (await cli('retention', 'show')).stdout,
    /\ndead letters +20d +MILLRACE_DEAD_LETTERS_RETENTION +environment\n/,
  )
})

test('what is not there, or is no day, is said in a sentence', async (t) => {
  const { cli, app } = await place(t, { MILLRACE_ARCHIVE_URL: '' })
  const body = { day: '2026-02-30' }
  const asked = await app.inject({ method: 'POST', url: '/api/millrace/archive/verify', body })
  assert.equal(asked.statusCode, 422)
  assert.equal(
    (await cli('archive', 'ls')).stderr,
    'millrace: There is no archive: set MILLRACE_ARCHIVE_URL where the server runs.\n',
  )
  for (const day of ['x', '2026-02-30', '2026-11-01T00:00:00Z']) {
    const wrong = await cli('archive', 'restore', '--day', day)
    assert.deepEqual([wrong.exit, wrong.stderr.includes(`--day is "${day}", but it must be a day such as`)], [2, true])
  }
  assert.match(
    (await cli('archive', 'restore', '--day', '2026-11-01', '--for', '1s')).stderr,
    /--for is "1s", but .* from 1m/,
  )
  const other = await place(t)
  assert.equal(
    (await other.cli('archive', 'verify', '--day', '2020-01-01')).stderr,
    'millrace: Nothing of 2020-01-01 is archived.\n',
  )
})

test('an archived day that is gone is missed, and a manifest that is none keeps nobody from the others', async (t) => {
  const { cli, day, store } = await place(t)
  await cli('retention', 'prune', '--yes')
  const [{ url }] = JSON.parse((await cli('archive', 'ls', '--json')).stdout)
  const manifest = new URL(`${url}manifest.json`)
  const whole = readFileSync(manifest, 'utf8')
  const verify = async (...args: string[]) => {
    const { exit, stdout } = await cli('archive', 'verify', ...args, '--json')
    assert.equal(exit, 1)
    return JSON.parse(stdout)
  }
  const problemWith = async (change: object) => {
    writeFileSync(manifest, JSON.stringify({ ...JSON.parse(whole), ...change }))
    return (await verify())[0].problem
  }
  assert.match(await problemWith({ events: 39 }), /the parts of \S+ have 40 events, its manifest says 39\.$/)
  assert.match(await problemWith({ events: 0, parts: [] }), /its 0 events are not the 40 that were dropped/)

  const another = new URL(`../../2020-01-01/1-0123abcd/manifest.json`, manifest)
  mkdirSync(new URL('.', another), { recursive: true })
  writeFileSync(another, '{')
  writeFileSync(manifest, whole)
  const listed = await cli('archive', 'ls', '--json')
  assert.deepEqual([listed.exit, JSON.parse(listed.stdout)[0].day], [1, day])
  assert.match(
    listed.stderr,
    /2020-01-01\/1-0123abcd\/manifest\.json: The archive is damaged: .*\n.*1 archived day can't be listed/,
  )
  assert.deepEqual(
    (await verify()).map(({ day, problem }: { day: string; problem: string | null }) => [day, problem !== null]),
    [
      ['2020-01-01', true],
      [day, false],
    ],
  )
  assert.equal((await cli('archive', 'restore', '--day', day)).exit, 0)
  assert.match((await cli('archive', 'restore', '--day', '2020-01-01')).stderr, /is no manifest of that day/)

  rmSync(new URL('../..', manifest), { recursive: true })
  for (const args of [[], ['--day', day]])
    assert.deepEqual(await verify(...args), [
      { day, generation: 1, events: 40, problem: `The archive is damaged: ${manifest.href} is missing.` },
    ])
  assert.match((await cli('archive', 'restore', '--day', day)).stderr, /manifest\.json is missing/)
  await store.hot.query('update pruned_day set archive = null')
  assert.equal((await cli('archive', 'verify')).stdout, '0 archived days read, 0 damaged.\n')
})

test('a damaged archive is found, and the exit code says so', async (t) => {
  const { cli, day } = await place(t)
  await cli('retention', 'prune', '--yes')
  const [{ url }] = JSON.parse((await cli('archive', 'ls', '--json')).stdout)
  rmSync(new URL(`${url}00001.ndjson.gz`))
  const { exit, stdout, stderr } = await cli('archive', 'verify', '--day', day, '--json')
  assert.equal(exit, 1)
  assert.match(JSON.parse(stdout)[0].problem, /00001\.ndjson\.gz is missing/)
  assert.match(stderr, /1 archived day can't be relied on/)
  const restored = await cli('archive', 'restore', '--day', day)
  assert.equal(restored.exit, 1)
  assert.match(restored.stderr, /^millrace: The archive is damaged: \S+ is missing\.\n$/)
})
