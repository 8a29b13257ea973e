/** Turns the text of a setting into its value, or says in words what is allowed; and shows values without secrets. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import { formatDuration, parseDuration } from './duration.ts'
import { formatOverrides, OVERRIDES_ALLOWED, parseOverrides } from './retention-overrides.ts'
import type { Setting } from './setting.ts'
import { formatSize, parseSize } from './size.ts'
import { maskUrl, readHttpUrl, readPostgresUrl, readRedisUrl } from './urls.ts'

/** A value of the setting's type, or the rest of the sentence "NAME is VALUE, but …". */
export type Reading = { readonly value: unknown } | { readonly allowed: string }

const TRUE = ['true', '1', 'yes', 'on', 't', 'y']
const FALSE = ['false', '0', 'no', 'off', 'f', 'n']

/**
 * Reads the text of a setting.
 * @param home the user's home folder, for paths that begin with `~`
 */
export function readSetting(setting: Setting, text: string, home: string = homedir()): Reading {
  if (setting.kind === 'redis-url') return readRedisUrl(text)
  if (setting.kind === 'postgres-url') return readPostgresUrl(text)
  if (setting.kind === 'http-url') return readHttpUrl(text)
  const value = parse(setting, setting.secret ? text : text.trim(), home) // a password may begin with a space
  return Value.Check(setting.schema, value) ? { value } : { allowed: allowedFor(setting) }
}

function parse(setting: Setting, text: string, home: string): unknown {
  switch (setting.kind) {
    case 'boolean':
      return TRUE.includes(text.toLowerCase()) ? true : FALSE.includes(text.toLowerCase()) ? false : text
    case 'integer':
      return /^[+-]?\d[\d_]*$/.test(text) ? Number(text.replaceAll('_', '')) : text
    case 'duration':
      return parseDuration(text) ?? text
    case 'retention-overrides':
      return parseOverrides(text) ?? text
    case 'size':
      return parseSize(text) ?? text
    case 'choice':
      return setting.schema['synonyms']?.[text.toLowerCase()] ?? text.toLowerCase()
    case 'path':
      return resolve(text === '~' || text.startsWith('~/') ? join(home, text.slice(1)) : text)
    default:
      return text
  }
}

/** What is allowed, as "it must be …". */
export function allowedFor(setting: Setting): string {
  return `it must be ${describeAllowed(setting)}`
}

/** What is allowed, as a phrase. */
export function describeAllowed(setting: Setting): string {
  if (setting.kind === 'choice') return `one of ${setting.schema['words'].join(', ')}`
  const schema = setting.schema['anyOf']?.[0] ?? setting.schema // an optional setting is one of itself and null
  const { minimum, maximum } = schema
  switch (setting.kind) {
    case 'boolean':
      return 'true or false'
    case 'integer':
      return `a whole number from ${minimum} to ${maximum}`
    case 'duration':
      return `a duration such as 15s, 90m, 7d or PT36H, from ${formatDuration(minimum)} to ${formatDuration(maximum)}`
    case 'retention-overrides':
      return OVERRIDES_ALLOWED
    case 'size':
      return `a size such as 1500000 or 8MiB, from ${formatSize(minimum)} to ${formatSize(maximum)}`
    case 'redis-url':
      return 'a redis://, redis+sentinel:// or redis+cluster:// URL, with TLS rediss…'
    case 'postgres-url':
      return 'a postgresql:// URL'
    case 'http-url':
      return 'an http:// or https:// URL'
    case 'path':
      return 'a path'
    case 'text':
      return schema['allowed'] ?? 'text'
  }
}

/** A value as it may be shown to anyone: in its unit, and without its secret. */
export function showValue(setting: Setting, value: unknown): string {
  if (value === null || value === '') return ''
  if (setting.secret) return '***'
  if (setting.kind === 'duration') return formatDuration(Number(value))
  if (setting.kind === 'size') return formatSize(Number(value))
  if (setting.kind === 'retention-overrides') return formatOverrides(value as Record<string, number>)
  return String(maskValue(setting, value))
}

/** A value as programs may see it: unchanged but for its secret. */
export function maskValue(setting: Setting, value: unknown): unknown {
  if (value === null || value === '') return value
  if (setting.secret) return '***'
  return setting.kind.endsWith('-url') ? maskUrl(String(value)) : value
}
