import type { FlowRunPolicy, FlowRunRow } from '#src/events/flow-run.ts'
import type { State, StateType } from '#src/events/state.ts'
import type { DecisionContext } from '../decision.ts'
import type { ProposedState } from '../state.ts'

/** A change of state that somebody wishes for, as far as the rules have dealt with it. */
export interface Transition extends DecisionContext {
  readonly run: FlowRunRow
  readonly from: State
  readonly to: State
  /** The run's policy as it will be when the change is made. */
  readonly policy: FlowRunPolicy
  /**
   * What came of asking for the slot that the run's deployment wants it to have; null when it wants none. For a run that
   * becomes late, whether there is one.
   */
  readonly slot?: Slot | null
}

/** A slot of a deployment: the run's own by a lease; or none, now or never; or there is no such deployment. */
export type Slot =
  | { readonly kind: 'held'; readonly leaseId: string }
  | { readonly kind: 'full'; readonly strategy: 'ENQUEUE' | 'CANCEL_NEW' }
  | { readonly kind: 'never' }
  | { readonly kind: 'no-deployment' }

/** What a rule says of a transition. */
export type Ruling =
  /** Nothing against it; perhaps with another state of the same type, or with another policy. */
  | { readonly kind: 'pass'; readonly to?: State; readonly policy?: FlowRunPolicy; readonly leavesPause?: boolean }
  /** Not that: this state instead, or, with null, none; the client goes on from what the run then has. */
  | {
      readonly kind: 'reject'
      readonly to: ProposedState | null
      readonly reason: string
      readonly policy?: FlowRunPolicy
      readonly leavesPause?: boolean
    }
  /** Not yet. */
  | { readonly kind: 'wait'; readonly seconds: number; readonly reason: string }
  /** Not at all; the client gives up. */
  | { readonly kind: 'abort'; readonly reason: string }

export const PASS: Ruling = { kind: 'pass' }

/** A rule of Prefect's server, for transitions between these types. */
export interface Rule {
  readonly from: readonly StateType[] | 'any'
  readonly to: readonly StateType[] | 'any'
  readonly rule: (transition: Transition) => Ruling
}

/** True when a rule is about such a transition. */
export function concerns({ from, to }: Rule, transition: Transition): boolean {
  return (from === 'any' || from.includes(transition.from.type)) && (to === 'any' || to.includes(transition.to.type))
}
