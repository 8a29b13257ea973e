/** The real client: a virtual environment with `prefect` of a pinned version, made once and kept outside the checkout. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '#src/embedded/cache-folder.ts'

/** The newest release of the client when this was last looked at. */
export const PREFECT_VERSION = '3.9.1'
const OLDEST_PYTHON = [3, 10]
const PYTHONS = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3']

const run = promisify(execFile)

export interface Client {
  /** Folder with the programs `python` and `prefect`. */
  readonly prefect: string
  readonly version: string
}

/**
 * Makes the environment where there is none yet, which takes half a minute and a network.
 * @returns null where there is no Python to make it with
 * @throws Error when the client can't be installed
 */
export async function prepareClient(say: (line: string) => void): Promise<Client | null> {
  const folder = folderOf()
  const ready = installedClient()
  if (ready !== null) return ready
  const python = await findPython()
  if (python === null) return null
  say(`installing prefect ${PREFECT_VERSION} from PyPI into ${folder}`)
  try {
    rmSync(folder, { recursive: true, force: true })
    await run(python, ['-m', 'venv', folder])
    const quietly = ['--quiet', '--disable-pip-version-check']
    await run(join(folder, 'bin', 'pip'), ['install', ...quietly, `prefect==${PREFECT_VERSION}`])
  } catch (error) {
    throw new Error(`prefect ${PREFECT_VERSION} could not be installed from PyPI`, { cause: error })
  }
  mkdirSync(join(folder, 'complete')) // only a whole environment is used again
  return clientIn(folder)
}

/** The environment if it has been made already; null otherwise. */
export function installedClient(): Client | null {
  const folder = folderOf()
  return existsSync(join(folder, 'complete')) ? clientIn(folder) : null
}

function folderOf(): string {
  return join(cacheFolder(), `prefect-${PREFECT_VERSION}`)
}

function clientIn(folder: string): Client {
  return { prefect: join(folder, 'bin'), version: PREFECT_VERSION }
}

async function findPython(): Promise<string | null> {
  const probe = 'import sys, venv, ensurepip; print(sys.version_info >= (%s))'.replace('%s', OLDEST_PYTHON.join(', '))
  for (const python of PYTHONS) {
    const answer = await run(python, ['-c', probe]).catch(() => null)
    if (answer?.stdout.trim() === 'True') return python
  }
  return null
}
