/**
 * What `npm run conformance` runs: an unmodified Prefect client and its command line, from PyPI, against Millrace. Each file
 * in `journeys/` is a process of Python with several journeys; a line is printed for each of them.
 *
 *   npm run conformance                 all of them
 *   npm run conformance -- flows cli    only files whose name has one of these in it
 */
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pMap from 'p-map'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { prepareClient } from './client.ts'
import { type Journey, runJourneys } from './journeys.ts'
import { startMillrace } from './millrace.ts'

/** Journeys wait more than they work, and a process of Python takes seconds of a core to begin. */
const AT_ONCE = 3

const folder = fileURLToPath(new URL('journeys/', import.meta.url))
const wanted = process.argv.slice(2)
const files = globSync('*.py', { cwd: folder })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()

const client = await prepareClient(say)
if (client === null) say('Conformance was not checked: it needs Python 3.10 or newer, with its module venv.')
else process.exitCode = passed(await against(client.prefect, client.version)) ? 0 : 1

async function against(prefect: string, version: string): Promise<Journey[]> {
  const home = makeTemporaryHome()
  const millrace = await startMillrace(join(home, 'millrace'))
  try {
    const run = (file: string) =>
      runJourneys({
        file: join(folder, file),
        name: basename(file, '.py'),
        prefect,
        apiUrl: millrace.apiUrl,
        home,
        say,
      })
    const journeys = (await pMap(files, run, { concurrency: AT_ONCE })).flat()
    const failed = journeys.filter(({ ok }) => !ok).length
    say(`${journeys.length - failed} journeys passed, ${failed} failed, with prefect ${version}`)
    return journeys
  } finally {
    await millrace.stop()
    removeHome(home)
  }
}

function passed(journeys: readonly Journey[]): boolean {
  return journeys.length > 0 && journeys.every(({ ok }) => ok)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
