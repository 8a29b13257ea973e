/** A database with a release's migrations of the test's own making, and what gets in the way of them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { type MigrationStatus, migrate, migrationStatus, type UpgradeStep } from '#src/store/migrate.ts'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { type TestScope, world } from '#test/world.ts'

const MODULE = new URL('../../../src/store/migrate.ts', import.meta.url).href
const UPGRADE = `
  const { migrate } = await import(process.argv[1])
  const onStep = (step) => console.log(JSON.stringify(step))
  const done = await migrate(process.argv[2], { timeoutMs: 0, folder: new URL(process.argv[3]), onStep })
  console.log(JSON.stringify({ step: 'done', ...done }))`

/** A table with three partitions of some rows, as the first migration of each release. */
export const PARTITIONED = `-- A table with partitions.
create table reading (at int4 not null, place text not null, primary key (at, place)) partition by range (at);
create table reading_1 partition of reading for values from (0) to (1000);
create table reading_2 partition of reading for values from (1000) to (2000);
create table reading_default partition of reading default;
insert into reading select n, 'place ' || n % 7 from generate_series(1, 1900) as n;
`
/** Its second. */
export const BY_PLACE = `-- An index of a large table.
create index reading_by_place on reading (place, at);
`

/** A release is a folder of migrations. */
export async function upgradeWorld(t: TestScope) {
  const { databaseUrl, defer } = await world(t)
  const home = makeTemporaryHome()
  defer(() => removeHome(home))
  let releases = 0
  // What waits for a lock fails instead of hanging: that nobody has to wait is part of what is tested.
  const pool = new pg.Pool({ connectionString: databaseUrl, statement_timeout: 10_000 })
  defer(() => pool.end())

  return {
    databaseUrl,
    defer,
    pool,
    /** @param files by name */
    release(files: Readonly<Record<string, string>>): URL {
      const folder = join(home, String(++releases))
      mkdirSync(folder)
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
      return pathToFileURL(`${folder}/`)
    },
    /** Upgrades here. Returns what was applied and each step as `building reading_1`. */
    async upgrade(
      folder: URL,
      options: { timeoutMs?: number; signal?: AbortSignal; onStep?: (s: UpgradeStep) => void } = {},
    ) {
      const steps: string[] = []
      const { applied } = await migrate(databaseUrl, {
        timeoutMs: 0,
        folder,
        ...options,
        onStep(step) {
          const line = stepLine(step)
          if (line !== steps.at(-1)) steps.push(line)
          options.onStep?.(step)
        },
      })
      return { applied, steps }
    },
    status: (folder: URL): Promise<MigrationStatus> => migrationStatus(databaseUrl, folder),
    /** Upgrades in a process of its own, which may be killed. */
    child: (folder: URL): UpgradeChild => child(databaseUrl, folder, defer),
    /** Has written into a table and doesn't commit: whoever builds an index on that waits, whoever writes doesn't. */
    async writer(table: string): Promise<{ end(): Promise<void> }> {
      const client = new pg.Client({ connectionString: databaseUrl, application_name: 'the-writer' })
      await client.connect()
      defer(() => client.end())
      await client.query(`begin; update ${table} set place = 'moved' where at % 100 = 1`)
      return { end: async () => void (await client.query('commit')) }
    },
    /** The tables whose index of a parent is there, usable, and the parent's; and whether the parent's is usable. */
    async built(index: string) {
      const { rows } = await pool.query<{ table: string; valid: boolean }>(
        `select x.indrelid::regclass::text as table, x.indisvalid as valid from pg_partition_tree($1::regclass) p
         join pg_index x on x.indexrelid = p.relid order by 1`,
        [index],
      )
      return rows.map(({ table, valid }) => `${table}${valid ? '' : ' invalid'}`)
    },
  }
}

export interface UpgradeChild {
  readonly steps: readonly string[]
  readonly process: ChildProcess
  /** What it had applied; null when it was killed. */
  readonly ended: Promise<string[] | null>
}

function child(databaseUrl: string, folder: URL, defer: (end: () => unknown) => void): UpgradeChild {
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', UPGRADE, MODULE, databaseUrl, folder.href], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  defer(() => process_.kill('SIGKILL'))
  const steps: string[] = []
  let applied: string[] | null = null
  let rest = ''
  process_.stdout?.on('data', (text: Buffer) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const step = JSON.parse(line) as UpgradeStep | { step: 'done'; applied: string[] }
      if (step.step === 'done') applied = step.applied
      else steps.push(stepLine(step))
    }
  })
  const ended = new Promise<string[] | null>((resolve) => process_.once('close', () => resolve(applied)))
  return { steps, process: process_, ended }
}

/** Whether a build is held up by one of `writer`. */
export function waitsForWriter(step: UpgradeStep): boolean {
  return 'progress' in step && (step.progress?.phase.startsWith('waiting for writers') ?? false)
}

function stepLine(step: UpgradeStep): string {
  if (!('table' in step)) return step.step
  return `${step.step} ${step.table}${waitsForWriter(step) ? ', which waits for a writer' : ''}`
}
