/**
 * The settings of a process: read once at the start, checked, frozen and passed on. Flags win over `MILLRACE_…`
 * variables, these over the `PREFECT_…` names that operators of Prefect already use, these over the defaults. Nothing
 * outside this file and its folder looks at the environment.
 */
import { Value } from '@sinclair/typebox/value'
import { ConnectionParts } from './config/connection-parts.ts'
import { type PickedSettings, resolveConnections } from './config/connections.ts'
import { warnOfUnknownNames } from './config/names.ts'
import { type Complaints, type Environment, type Override, pick } from './config/pick.ts'
import { maskValue, showValue } from './config/read.ts'
import { type Settings, SettingsSchema } from './config/schema.ts'
import { type Setting, settingsOf } from './config/setting.ts'
import { SettingInvalid } from './errors.ts'

export type { Environment, Override } from './config/pick.ts'
export type { Settings } from './config/schema.ts'
export { maskUrl } from './config/urls.ts'

/** Every setting there is, those that spell out a connection after the others of their room. */
export const allSettings: readonly Setting[] = byRoom([...settingsOf(SettingsSchema), ...settingsOf(ConnectionParts)])

/** What became of a setting, for whoever asks `millrace config`. Secrets are masked. */
export interface SettingReport {
  /** The value for programs: milliseconds, bytes, true, null … */
  readonly value: unknown
  /** The value for people: `7d`, `8MiB`; empty when unset. */
  readonly shown: string
  /** `default`, `environment MILLRACE_…`, `alias PREFECT_…` or `flag --…`; several when pieces made up a URL. */
  readonly source: string
  /** Its name in the environment. */
  readonly environment: string
  readonly description: string
}

/** The settings, where each came from, and what should be looked at though it stops nothing. */
export interface LoadedSettings {
  readonly settings: Settings
  /** By path: `redis.url`. */
  readonly sources: ReadonlyMap<string, SettingReport>
  /** Whole sentences. */
  readonly warnings: readonly string[]
}

/**
 * Loads the settings.
 * @param env usually `process.env`
 * @param overrides values of flags, by path: `{ 'server.port': { flag: '--port', text: '4300' } }`
 * @throws SettingInvalid with a sentence for each value that is not allowed
 */
export function loadSettings({
  env,
  overrides = {},
}: {
  readonly env: Environment
  readonly overrides?: Readonly<Record<string, Override | undefined>>
}): LoadedSettings {
  const complaints: Complaints = { problems: [], warnings: [] }
  const picked: PickedSettings = new Map()
  for (const setting of allSettings) picked.set(setting.path, pick(setting, env, overrides[setting.path], complaints))
  resolveConnections(picked, complaints)
  checkTogether(picked, complaints)
  if (complaints.problems.length > 0) throw new SettingInvalid(complaints.problems)
  complaints.warnings.push(...warnOfUnknownNames(Object.keys(env), allSettings))
  const sources = new Map(
    [...picked].map(([path, { setting, value, source }]) => [path, report(setting, value, source)]),
  )
  return Object.freeze({ settings: build(picked), sources, warnings: Object.freeze(complaints.warnings) })
}

function checkTogether(picked: PickedSettings, { problems }: Complaints): void {
  const archive = picked.get('archive.url')
  const keys = [picked.get('archive.s3.accessKeyId'), picked.get('archive.s3.secretAccessKey')]
  const unset = keys.flatMap((key) => (key?.value === null ? [key.setting.environment] : []))
  if (String(archive?.value).startsWith('s3:') && unset.length > 0) {
    const allowed = `then ${unset.join(' and ')} must be set`
    problems.push({ name: archive?.setting.environment ?? '', value: String(archive?.value), allowed })
  }
  const fsync = picked.get('streams.waitFsync')
  const replicas = picked.get('streams.waitReplicas')
  if (fsync?.value === 'replicas' && replicas?.value === 0) {
    const allowed = `then ${replicas.setting.environment} must say how many replicas, at least 1`
    problems.push({ name: fsync.setting.environment, value: 'replicas', allowed })
  }
  const hold = picked.get('ingest.holdBacklogEvents')
  const max = picked.get('ingest.maxBacklogEvents')
  if (hold === undefined || max === undefined || Number(hold.value) <= Number(max.value)) return
  const allowed = `it must not be more than ${max.setting.environment}, which is ${max.value}`
  problems.push({ name: hold.setting.environment, value: String(hold.value), allowed })
}

function report(setting: Setting, value: unknown, source: string): SettingReport {
  const { environment, description } = setting
  return { value: maskValue(setting, value), shown: showValue(setting, value), source, environment, description }
}

function build(picked: PickedSettings): Settings {
  const whole: Record<string, unknown> = {}
  for (const { path } of settingsOf(SettingsSchema)) {
    const rooms = path.split('.')
    const last = rooms.pop() ?? path
    let room = whole
    for (const name of rooms) {
      room[name] ??= {}
      room = room[name] as Record<string, unknown>
    }
    room[last] = picked.get(path)?.value
  }
  Value.Assert(SettingsSchema, whole) // a default that its own schema refuses is our mistake, not the operator's
  return deepFreeze(whole)
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (child instanceof Object) deepFreeze(child)
  return Object.freeze(value)
}

function byRoom(all: readonly Setting[]): Setting[] {
  const rooms = new Map<string, Setting[]>()
  for (const setting of all) {
    const room = setting.path.split('.')[0] ?? ''
    rooms.set(room, [...(rooms.get(room) ?? []), setting])
  }
  return [...rooms.values()].flat()
}
