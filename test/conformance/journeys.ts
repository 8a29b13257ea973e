import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What came of one journey. */
export interface Journey {
  readonly ok: boolean
}

interface Run {
  readonly file: string
  readonly name: string
  /** Folder of the client's programs. */
  readonly prefect: string
  readonly apiUrl: string
  /** Where the client may keep what it likes. */
  readonly home: string
  readonly say: (line: string) => void
}

/** Longest that a file may take; it hangs then. */
const WITHIN_MS = 240_000
/** `journey.py` writes a line of JSON with this before it for each journey. */
const MARK = 'JOURNEY '

/** Runs a file of journeys; prints a line for each, and the client's own output after one that failed. */
export async function runJourneys({ file, name, prefect, apiUrl, home, say }: Run): Promise<Journey[]> {
  const child = spawn(`${prefect}/python`, ['-u', file], {
    env: {
      PATH: `${prefect}:${process.env['PATH'] ?? ''}`,
      HOME: home,
      PYTHONPATH: new URL('client', import.meta.url).pathname,
      PREFECT_HOME: `${home}/${name}`,
      PREFECT_API_URL: apiUrl,
      PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
      PREFECT_CLI_PROMPT: 'false',
      PREFECT_CLI_COLORS: 'false',
      PYTHONDONTWRITEBYTECODE: '1',
      COLUMNS: '300', // so that tables are not cut
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const found: Journey[] = []
  let output: string[] = []
  const read = (line: string) => {
    if (!line.startsWith(MARK)) return output.push(line)
    const { title, seconds, failure } = JSON.parse(line.slice(MARK.length))
    found.push({ ok: failure === null })
    say(`${failure === null ? '✔' : '✖'} ${name}: ${title} (${seconds} s)`)
    if (failure !== null) for (const each of [...output.slice(-40), ...failure.split('\n')]) say(`    ${each}`)
    output = []
    return undefined
  }
  createInterface(child.stdout).on('line', read)
  createInterface(child.stderr).on('line', read)
  const timer = setTimeout(() => child.kill('SIGKILL'), WITHIN_MS)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  if (code === 0) return found
  say(`✖ ${name}: the file ended with ${code}`)
  for (const line of output.slice(-40)) say(`    ${line}`)
  return [...found, { ok: false }]
}
