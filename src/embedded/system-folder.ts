/** Where root keeps what another user must be able to reach; the system's place for lasting state. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs'

export const SYSTEM_FOLDER = '/var/lib/millrace'

/** Open to pass through whatever root's umask is; the folders in it decide for themselves. */
export function makeSystemFolder(): void {
  if (existsSync(SYSTEM_FOLDER)) return
  mkdirSync(SYSTEM_FOLDER, { recursive: true })
  chmodSync(SYSTEM_FOLDER, 0o755)
}
