/** The database that the commands under `millrace database` work on. */
import { SettingInvalid } from '../errors.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

/** The configured database and the longest time of a migration. @throws SettingInvalid when there is only the embedded one */
export function configuredDatabase(terminal: Terminal, flags: Parameters<typeof settingsFor>[1] = {}) {
  const { settings, sources } = settingsFor(terminal, flags)
  const { url, migrationTimeoutMs } = settings.database
  if (url === null) {
    const allowed = 'this command needs a database of yours: the embedded one is upgraded by `millrace server start`'
    throw new SettingInvalid([{ name: 'MILLRACE_DATABASE_URL', value: 'unset', allowed }])
  }
  const shown = sources.get('database.url')?.shown ?? ''
  return { url, shown, migrationTimeoutMs, settings }
}
