/** Chooses the value of one setting among the places it may come from: a flag, its own name, an alias, its default. */
import type { SettingProblem } from '../errors.ts'
import { readSetting, showValue } from './read.ts'
import type { Setting } from './setting.ts'
import { maskUrl } from './urls.ts'

/** The environment, as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A value given on the command line: what was written, and the flag that it was written for. */
export interface Override {
  readonly flag: string
  readonly text: string
}

/** The value chosen for a setting, and where it came from, in words. */
export interface Picked {
  readonly setting: Setting
  readonly value: unknown
  readonly source: string
}

/** Where complaints are collected, so that all of them can be told at once. */
export interface Complaints {
  readonly problems: SettingProblem[]
  readonly warnings: string[]
}

interface Candidate {
  readonly name: string
  readonly source: string
  readonly text: string
}

/**
 * Picks the strongest value. An empty variable counts as absent, as compose files and charts leave them behind.
 * A weaker one that says something else is warned of; one of the wrong form is a problem only when it is the strongest.
 */
export function pick(setting: Setting, env: Environment, override: Override | undefined, to: Complaints): Picked {
  const [strongest, ...weaker] = candidates(setting, env, override, to)
  if (strongest === undefined) return { setting, value: defaultOf(setting, env), source: 'default' }
  const reading = readSetting(setting, strongest.text, env['HOME'])
  if ('allowed' in reading) {
    const value = setting.secret ? '***' : JSON.stringify(maskUrl(strongest.text))
    to.problems.push({ name: strongest.name, value, allowed: reading.allowed })
    return { setting, value: setting.default, source: strongest.source }
  }
  for (const other of override === undefined ? weaker : []) {
    const said = readSetting(setting, other.text, env['HOME'])
    if ('value' in said && said.value === reading.value) continue
    const shown = 'value' in said ? showValue(setting, said.value) : maskUrl(other.text)
    to.warnings.push(`${other.name}${setting.secret ? '' : ` (${shown})`} is ignored: ${strongest.name} is set too.`)
  }
  return { setting, value: reading.value, source: strongest.source }
}

function defaultOf(setting: Setting, env: Environment): unknown {
  if (setting.kind !== 'path' || setting.default === null) return setting.default
  const reading = readSetting(setting, String(setting.default), env['HOME']) // `~` depends on who starts it
  return 'value' in reading ? reading.value : setting.default
}

function candidates(setting: Setting, env: Environment, override: Override | undefined, to: Complaints): Candidate[] {
  const found: Candidate[] = []
  if (override !== undefined) found.push({ name: override.flag, source: `flag ${override.flag}`, text: override.text })
  const own = env[setting.environment]
  if (own) found.push({ name: setting.environment, source: `environment ${setting.environment}`, text: own })
  for (const name of setting.aliases ?? []) {
    const text = env[name]
    if (!text) continue
    // The scheduler of Prefect may live in memory; here it is always in Redis.
    if (text.startsWith('memory://'))
      to.warnings.push(`${name} (${text}) is ignored: Millrace keeps its schedule in Redis.`)
    else found.push({ name, source: `alias ${name}`, text })
  }
  return found
}
