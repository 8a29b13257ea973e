/** The flags by which `millrace dead-letters` selects letters. */
import type { Command } from 'commander'
import { parseDuration } from '../config/duration.ts'
import { parseInstant } from '../events/instant.ts'
import { UsageInvalid } from './failure.ts'

/** The flags as commander reads them. */
export interface LetterOptions {
  group?: string
  partition?: string
  reason?: string
  event?: string
  since?: string
  until?: string
  requested?: true
}

/** A filter as the API takes it, in a query or a body. */
export interface LetterFilter {
  readonly group?: string
  readonly partition?: number
  readonly reason?: string
  readonly event?: string
  readonly since?: string
  readonly until?: string
  readonly requested?: boolean
}

/** Adds them to a command. */
export function withLetterOptions(command: Command): Command {
  return command
    .option('--group <name>', "only of this consumer group; 'ingest' is what never became an event")
    .option('--partition <number>', 'only of this partition')
    .option('--reason <text>', 'only with this text in the reason')
    .option('--event <name>', 'only events of this name')
    .option('--since <when>', 'only seen since then: an instant, or a duration ago such as 2h')
    .option('--until <when>', 'only last seen before then')
    .option('--requested', 'only those whose replay was asked for and has not been tried yet')
}

/** @throws UsageInvalid */
export function readLetterFilter(options: LetterOptions): LetterFilter {
  const { group, reason, event, requested } = options
  return {
    ...(group !== undefined && { group }),
    ...(options.partition !== undefined && { partition: readWhole('--partition', options.partition, 0) }),
    ...(reason !== undefined && { reason }),
    ...(event !== undefined && { event }),
    ...(options.since !== undefined && { since: readWhen('--since', options.since) }),
    ...(options.until !== undefined && { until: readWhen('--until', options.until) }),
    ...(requested && { requested }),
  }
}

/** A whole number from `least` on. @throws UsageInvalid */
export function readWhole(flag: string, text: string, least: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (value < least) throw new UsageInvalid(`${flag} is "${text}", but it must be a whole number from ${least} on.`)
  return value
}

function readWhen(flag: string, text: string): string {
  const agoMs = parseDuration(text)
  if (agoMs !== null) return new Date(Date.now() - agoMs).toISOString()
  const instant = parseInstant(text)
  if (instant !== null) return instant.iso
  throw new UsageInvalid(`${flag} is "${text}", but it must be an instant such as 2026-11-24T10:00:00Z, or 2h.`)
}
