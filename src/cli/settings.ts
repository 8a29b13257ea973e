/** Loads the settings for a command, with its flags. */
import { type LoadedSettings, loadSettings } from '../config.ts'
import { createLog, type Log } from '../log.ts'
import type { Terminal } from './terminal.ts'

/** Loads them; `flags` are `--host` and such, by the path of the setting they stand for; absent ones don't count. */
export function settingsFor(
  terminal: Terminal,
  flags: Readonly<Record<string, readonly [flag: string, text: string | undefined]>> = {},
): LoadedSettings {
  const given = Object.entries(flags).flatMap(([path, [flag, text]]) =>
    text === undefined ? [] : [[path, { flag, text }] as const],
  )
  return loadSettings({ env: terminal.env, overrides: Object.fromEntries(given) })
}

/** The log of a process that keeps running, which begins with what is odd about its settings. */
export function logFor({ settings, warnings }: LoadedSettings): Log {
  const log = createLog(settings.log.level)
  for (const warning of warnings) log.warn(warning)
  return log
}
