/** Where programs fetched for this user are kept between starts; losing it costs only the time to fetch them again. */
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** The folder, made if it was missing. XDG_CACHE_HOME is the desktop's own convention, not a setting of ours. */
export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME']
  const folder = join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'millrace')
  mkdirSync(folder, { recursive: true })
  return folder
}
