/** What follows from a new state, for flow runs and task runs alike. */
import { isTerminal, type State, type StateType } from '#src/events/state.ts'
import { justAfter, secondsBetween } from './instants.ts'

/** What every run knows of its states. */
export interface RunTimes {
  readonly updated: string
  readonly state: unknown
  readonly state_id: string | null
  readonly state_type: StateType | null
  readonly state_name: string | null
  readonly state_timestamp: string | null
  readonly run_count: number
  readonly start_time: string | null
  readonly end_time: string | null
  readonly total_run_time: number
  readonly expected_start_time: string | null
  readonly next_scheduled_start_time: string | null
}

/**
 * The run with a new state: when it began and ended, how long and how often it ran, when it is due. No two states of a run
 * share an instant, and each is later than the one before, whatever clocks say.
 * @param counts false when the run goes on with an attempt that has been counted
 */
export function inState<Run extends RunTimes>(run: Run, proposed: State, counts = true): Run {
  const before = run.state as State | null
  const clash = before !== null && proposed.timestamp <= before.timestamp
  const timestamp = clash ? justAfter(before.timestamp) : proposed.timestamp
  const state = clash ? { ...proposed, timestamp } : proposed
  const runs = state.type === 'RUNNING'
  const over = isTerminal(state)
  const scheduled = state.type === 'SCHEDULED' ? state.state_details.scheduled_time : null
  return {
    ...run,
    updated: timestamp > run.updated ? timestamp : run.updated,
    state,
    state_id: state.id,
    state_type: state.type,
    state_name: state.name,
    state_timestamp: timestamp,
    run_count: run.run_count + (runs && counts ? 1 : 0),
    start_time: run.start_time ?? (runs || over ? timestamp : null),
    end_time: over ? (run.end_time ?? timestamp) : null,
    total_run_time:
      before?.type === 'RUNNING'
        ? Math.round((run.total_run_time + secondsBetween(before.timestamp, timestamp)) * 1e6) / 1e6
        : run.total_run_time,
    expected_start_time: run.expected_start_time ?? (state.type === 'SCHEDULED' ? scheduled : timestamp),
    next_scheduled_start_time: scheduled,
  }
}
