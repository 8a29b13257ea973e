/**
 * What `npm test` runs: starts the servers that the tests share, runs the test files, says in its last line how many
 * passed and failed, and leaves no process behind.
 *
 *   npm test                     everything
 *   npm test -- bus/claim api    only files whose path contains one of these
 */
import { globSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { endProcess } from '#src/embedded/end-process.ts'
import { childrenOf, commandLine, identify } from '#src/embedded/process-identity.ts'
import { RunReport } from './run-report.ts'
import { endServersIn } from './servers/end-servers.ts'
import { type SharedServers, startSharedServers } from './servers/shared.ts'
import { makeTemporaryHome, removeHome } from './servers/temporary-home.ts'

/** Files of one promise each, under fault: last, since they take longest, and those first that take longest of all. */
const FAULTS = 'test/faults/'
const LONGEST = ['storm', 'mutations', 'many-services'].map((name) => `${FAULTS}${name}.test.ts`)
/** Fault tests, too: they wait for leases more than they work. */
const AT_ONCE = 2
/** A file that takes longer hangs: its process is ended and it has failed. */
const FILE_TIMEOUT_MS = 5 * 60_000

/** Time for the process of such a file to stop its servers; then it is killed. */
const ENDING_MS = 5_000

const root = fileURLToPath(new URL('..', import.meta.url))
const wanted = process.argv.slice(2).map((name) => (name.startsWith(root) ? relative(root, name) : name))
const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part.replace(/^\.\//, ''))))
  .sort()

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => stop.abort(new Error(`Stopped by ${signal}.`)))
}

const report = new RunReport(process.stdout)
if (files.length === 0) report.problem(`No test file matches ${wanted.join(', ') || 'test/**/*.test.ts'}.`)
else await runAll().catch((error: unknown) => report.problem('The run itself failed.', error))
if (stop.signal.aborted) report.problem(stop.signal.reason.message)
report.finish()
process.exit(report.ok() ? 0 : 1)

async function runAll(): Promise<void> {
  const folder = makeTemporaryHome()
  process.env['TMPDIR'] = folder // so that whatever a killed test leaves behind is found in it
  process.env['MILLRACE_TEST_COMPILED'] = join(folder, 'compiled')
  try {
    await runOnServers()
  } finally {
    for (const sentence of await endServersIn(folder)) report.problem(sentence)
    removeHome(folder)
  }
}

async function runOnServers(): Promise<void> {
  const servers = await startSharedServers()
  try {
    process.env['MILLRACE_TEST_REDIS_URL'] = servers.redisUrl
    process.env['MILLRACE_TEST_DATABASE_URL'] = servers.databaseUrl
    const rank = (file: string) => (LONGEST.includes(file) ? 1 : file.startsWith(FAULTS) ? 2 : 0)
    const queue = files.toSorted((a, b) => rank(a) - rank(b))
    await Promise.all(Array.from({ length: AT_ONCE }, () => runFrom(queue)))
    if (report.ok()) await refuseStrayKeys(servers)
  } finally {
    await servers.stop()
  }
}

/** Takes files off the queue until it is empty. One run each: a file that hangs can only be ended with its run. */
async function runFrom(queue: string[]): Promise<void> {
  while (!stop.signal.aborted) {
    const file = queue.shift()
    if (file === undefined) return
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(FILE_TIMEOUT_MS)])
    await report.file(file, run({ files: [file], cwd: root, signal }))
    await endFile(file)
  }
}

/** The runner sends SIGTERM to the process of a file that is cut short, and doesn't wait for it. */
async function endFile(file: string): Promise<void> {
  for (const pid of childrenOf(process.pid).filter((each) => commandLine(each).includes(file))) {
    const identity = identify(pid)
    if (identity !== null) await endProcess(identity, 'SIGTERM', ENDING_MS)
  }
}

/** Each test deletes the keys of its prefix; whatever is left was written outside of one. */
async function refuseStrayKeys({ redisUrl }: SharedServers): Promise<void> {
  const redis = new Redis(redisUrl)
  try {
    const stray = await redis.keys('*')
    if (stray.length > 0) report.problem(`Tests left keys outside of their prefix: ${stray.slice(0, 20).join(', ')}`)
  } finally {
    redis.disconnect()
  }
}
