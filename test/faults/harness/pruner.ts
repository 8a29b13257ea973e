/**
 * A process that prunes once, as the service and the API do, and says each step in a line of JSON; or brings the day back
 * that `MILLRACE_TEST_RESTORE` names. With nothing else of
 * Millrace in it: it starts in a fraction of a server's time, and is started for each place at which it is to die.
 */
import { openArchive, readManifests, restoreDay } from '#src/archive/index.ts'
import { createBus, RECORDER } from '#src/bus/index.ts'
import { loadSettings } from '#src/config.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { createCommands, createExecutor } from '#src/orchestration/index.ts'
import { runRetention } from '#src/retention/run.ts'
import { hasApplied } from '#src/store/checkpoint.ts'
import { createStore } from '#src/store/pool.ts'

const { settings } = loadSettings({ env: process.env })
const log = createLog('warn')
const metrics = createMetrics({ defaults: false })
const { timeoutMs, connectTimeoutMs } = settings.database
const store = await createStore({ url: settings.database.url ?? '', timeoutMs, connectTimeoutMs, poolSize: 4 })
const url = settings.redis.url ?? ''
const bus = await createBus({ ...settings.ingest, ...settings.streams, ...settings.redis, url, log, metrics })
const now = () => `${new Date().toISOString().slice(0, -1)}000Z`
const newId = () => crypto.randomUUID()
const executor = createExecutor({
  producer: bus.producer(),
  commits: bus.watch(RECORDER),
  hasApplied: (entry) => hasApplied(store.hot, RECORDER, entry),
  limits: settings.events,
  nowMs: Date.now,
  now,
  newId,
})
const context = {
  settings,
  log,
  metrics,
  inspector: bus.inspector,
  pool: store.hot,
  commands: createCommands({ executor, store, now, newId }),
  place: openArchive(settings),
  nowMs: Date.now,
}
const say = (step: object) => void process.stdout.write(`${JSON.stringify(step)}\n`)
const { signal } = new AbortController()
const day = process.env['MILLRACE_TEST_RESTORE']

async function restore(date: string) {
  const { place } = context
  if (place === null) throw new Error('there is no archive')
  const manifests = (await readManifests(place, date)).map(({ manifest }) => manifest)
  return restoreDay(manifests, { ...context, place, forMs: 3_600_000, signal })
}

say({ step: 'done', ...(day ? await restore(day) : await runRetention(context, signal, say)) })
process.exit(0)
