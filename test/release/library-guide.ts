/** Does what docs/library.md says: its table, its program, its command. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { commandsOf } from '../docs/readme.ts'
import { environment, started, typed } from '../docs/typed-at-a-terminal.ts'
import { waitUntil } from '../wait-until.ts'
import { type TestScope, world } from '../world.ts'

const PAGE = new URL('../../docs/library.md', import.meta.url)
const PROGRAM = /^`(\S+\.mts)`:\n\n```ts\n([\s\S]*?)^```$/m
const TABLE = /^```sql\n([\s\S]*?)^```$/m
const STARTED = /^Millrace runs at http:\S+$/m
const TSC = [
  'node_modules/typescript/bin/tsc',
  ...'--noEmit --strict --skipLibCheck --target esnext --module nodenext'.split(' '),
]

/** @param folder with the package installed */
export async function followGuide(t: TestScope, folder: string): Promise<void> {
  const place = await world(t)
  const page = readFileSync(PAGE, 'utf8')
  const database = new pg.Client({ connectionString: place.databaseUrl })
  await database.connect()
  place.defer(() => database.end())
  await database.query(TABLE.exec(page)?.[1] ?? '')
  const [, file = '', program = ''] = PROGRAM.exec(page) ?? []
  writeFileSync(join(folder, file), program)
  writeFileSync(join(folder, 'package.json'), '{"type": "commonjs"}') // as `npm init` makes it
  execFileSync(process.execPath, [...TSC, '--types', 'node', file], { cwd: folder, stdio: 'inherit' })

  const [starting, showing, ...more] = commandsOf(page)
  assert.deepEqual(more, [])
  const env = environment(folder, {
    MILLRACE_REDIS_URL: place.redisUrl,
    MILLRACE_REDIS_PREFIX: place.prefix,
    MILLRACE_DATABASE_URL: place.databaseUrl,
    MILLRACE_SERVER_PORT: '0',
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  })
  const programs = [0, 1].map(() => started(starting?.text ?? '', env, STARTED, folder))
  place.defer(async () => Promise.all((await Promise.all(programs)).map((each) => each.interrupt())))
  const [first, second] = await Promise.all(programs)
  const effects = async () => (await database.query<{ tick: string }>('select tick from shop.digest order by 1')).rows
  await waitUntil(async () => (await effects()).length >= 3)
  const greeted = () => /"service":"shop.greeter".*good day/.test(`${first?.printed()}${second?.printed()}`)
  await waitUntil(greeted, { what: 'the greeter to run' })
  const url = / (http:\S+)$/m.exec(STARTED.exec(first?.printed() ?? '')?.[0] ?? '')?.[1]
  const command = (showing?.text ?? '').replace('npx millrace ', 'node node_modules/millrace/bin/millrace.js ')
  const shown = await typed(command, { ...env, MILLRACE_API_URL: `${url}/api` }, folder)
  assert.match(shown.stdout, /every 2s[\s\S]*done/, shown.stderr)
  await Promise.all([first?.interrupt(), second?.interrupt()])

  const { rows } = await database.query<{ tick: string }>(
    `select to_char(scheduled_for at time zone 'UTC', '"shop.digest@"YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as tick
     from tick where job = 'shop.digest' and state = 'done' order by 1`,
  )
  assert.deepEqual(await effects(), rows, 'each tick that is done has its effect once')
}
