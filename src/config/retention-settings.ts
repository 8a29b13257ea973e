/** How long what is no event is kept. */
import { Type } from '@sinclair/typebox'
import { duration, optional } from './setting.ts'

const BOUNDS = { minimum: '1m', maximum: '36500d' } as const

export const deadLetters = Type.Object({
  retentionMs: duration({
    environment: 'MILLRACE_DEAD_LETTERS_RETENTION',
    default: '30d',
    ...BOUNDS,
    description:
      'How long dead letters are kept after they were seen last; those whose replay was asked for stay until it was tried.',
  }),
})

export const losses = Type.Object({
  retentionMs: duration({
    environment: 'MILLRACE_LOSSES_RETENTION',
    default: '90d',
    ...BOUNDS,
    description: 'How long the ledger of what Redis lost is kept.',
  }),
})

export const ticks = Type.Object({
  retentionMs: duration({
    environment: 'MILLRACE_TICKS_RETENTION',
    default: '7d',
    ...BOUNDS,
    description: 'How long the ledger of ticks is kept; those that are not decided yet stay.',
  }),
})

/** A part of the settings of runs. */
export const runsRetention = optional(
  duration({
    environment: 'MILLRACE_RUNS_RETENTION',
    default: '90d',
    minimum: '1h',
    maximum: '36500d',
    description:
      'How long flow runs, and task runs of no flow run, are kept after they ended, with their states, logs and whatever else belongs to them; unset, for ever.',
  }),
)
