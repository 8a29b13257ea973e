/** A generated password in a file that only its owner can read. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

/** The one in the file, made at the first call. Letters and digits only, so that it needs no escaping anywhere. */
export function secretIn(path: string): string {
  try {
    const kept = readFileSync(path, 'utf8').trim()
    if (kept !== '') return kept
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const made = randomBytes(24).toString('hex')
  writeFileSync(path, `${made}\n`, { mode: 0o600, flush: true })
  return made
}
