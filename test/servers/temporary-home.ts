/** Folders for servers that last as long as a test. */
import { chmodSync, lstatSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder that others may pass through: root's Postgres runs as another user. */
export function makeTemporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  chmodSync(home, 0o711)
  return home
}

/** Removes it, and the database that had to be put elsewhere because of where this machine keeps temporary files. */
export function removeHome(home: string): void {
  const postgres = join(home, 'postgres')
  if (lstatSync(postgres, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    rmSync(readlinkSync(postgres), { recursive: true, force: true })
  }
  rmSync(home, { recursive: true, force: true })
}
