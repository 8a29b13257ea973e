/** States as commands propose them, and those that the rules make themselves. */
import { NO_DETAILS, type State, type StateDetails, type StateType } from '#src/events/state.ts'
import type { DecisionContext } from './decision.ts'

/** A state that somebody wishes for. */
export interface ProposedState {
  readonly type: StateType
  /** Left out, it is the name of the type. */
  readonly name?: string | null
  readonly message?: string | null
  readonly data?: unknown
  readonly state_details?: Partial<StateDetails>
}

/** `PENDING` as `Pending`. */
export function nameOfType(type: StateType): string {
  return `${type[0]}${type.slice(1).toLowerCase()}`
}

/** The whole state that a proposal stands for, as of now. One that is scheduled for no time is scheduled for now. */
export function stateOf(proposed: ProposedState, { now, newId }: DecisionContext): State {
  const details = { ...NO_DETAILS, ...proposed.state_details }
  return {
    id: newId(),
    type: proposed.type,
    name: proposed.name ?? nameOfType(proposed.type),
    timestamp: now,
    message: proposed.message ?? null,
    data: proposed.data ?? null,
    state_details:
      proposed.type === 'SCHEDULED' && details.scheduled_time === null ? { ...details, scheduled_time: now } : details,
  }
}

/** The same state with other details. */
export function withDetails(state: State, details: Partial<StateDetails>): State {
  return { ...state, state_details: { ...state.state_details, ...details } }
}

/** True when `data` says where a result is kept, so that losing the state would lose the result. */
export function hasPersistedResult({ data }: State): boolean {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return false
  return Object.keys(data).length > 0 && !('type' in data && data.type === 'unpersisted')
}
