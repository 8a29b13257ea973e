/** Does what docs/projections.md says, in a copy of the repository: its files, its test, its commands, its question. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { waitUntil } from '../wait-until.ts'
import { world } from '../world.ts'
import { commandsOf, pattern } from './readme.ts'
import { environment, started, typed } from './typed-at-a-terminal.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/projections.md'), 'utf8')

const FILE = /^`(\S+)`:\n\n```\w+\n([\s\S]*?)^```$/gm
const QUESTION = /^```sql\n(select [\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/m
const STARTED = /^Millrace runs at (http:\S+) /m

test('the guide to projections does what it says', async (t) => {
  const place = await world(t)
  const copy = mkdtempSync(join(tmpdir(), 'millrace-guide-'))
  place.defer(() => rmSync(copy, { recursive: true }))
  for (const name of ['bin', 'migrations', 'package.json', 'projections', 'src'])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const files = [...page.matchAll(FILE)]
  assert.equal(files.length, 4)
  for (const [, name = '', text = ''] of files) {
    mkdirSync(dirname(join(copy, name)), { recursive: true })
    writeFileSync(join(copy, name), text, { flag: 'wx' })
  }

  const [testing, starting, sending, looking, ...more] = commandsOf(page)
  assert.deepEqual(more, [])
  const env = environment(copy, {
    MILLRACE_REDIS_URL: place.redisUrl,
    MILLRACE_REDIS_PREFIX: place.prefix,
    MILLRACE_DATABASE_URL: place.databaseUrl,
    MILLRACE_SERVER_PORT: '0',
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  })
  const tested = await typed(testing?.text ?? '', env, copy)
  assert.equal(tested.exit, 0, tested.stdout + tested.stderr)

  const server = await started(starting?.text ?? '', env, STARTED, copy)
  place.defer(() => server.interrupt())
  const client = { ...env, MILLRACE_API_URL: `${STARTED.exec(server.printed())?.[1]}/api` }
  const sent = await typed(sending?.text ?? '', client, copy)
  assert.equal(sent.exit, 0, sent.stderr)

  const [, question = '', answer = ''] = QUESTION.exec(page) ?? []
  const database = new pg.Client({ connectionString: place.databaseUrl })
  await database.connect()
  place.defer(() => database.end())
  const rows = async () =>
    (await database.query({ text: question, rowMode: 'array' })).rows.map((row) => row.join(' | '))
  const said = answer.trim().split('\n')
  await waitUntil(async () => (await rows()).join() === said.join(), { what: `${said.join(', ')} to be recorded` })
  await waitUntil(
    async () => (await database.query('select from dead_letter where "group" = \'projection:order\'')).rowCount === 1,
    { what: 'the third one to be set aside' },
  )
  const listed = await typed(looking?.text ?? '', client, copy)
  assert.match(listed.stdout, pattern(looking?.printed ?? ''), listed.stderr)
})
