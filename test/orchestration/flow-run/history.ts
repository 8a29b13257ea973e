/** Flow runs as their commands make them, without servers: each decision's events go through the projection. */
import { createMemoryFold } from '#src/consumer/fold-events.ts'
import type { Event } from '#src/events/event.ts'
import { FLOW_RUN_DELETED, type FlowRunRow } from '#src/events/flow-run.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { State } from '#src/events/state.ts'
import type { Slot } from '#src/orchestration/flow-run/transition.ts'
import {
  ALONE,
  decideFlowRun,
  type FlowRunAnswer,
  type FlowRunCommand,
  type NewFlowRun,
} from '#src/orchestration/index.ts'
import flowRun from '../../../projections/flow-run.ts'

const RUN_ID = '00000000-0000-7000-8000-000000000000'
const BEGAN_MS = Date.parse('2026-11-24T00:00:00Z')

/** A run and its history; the clock stands still until it is moved. */
export class History {
  row: FlowRunRow | null = null
  readonly events: Event[] = []
  /** The row after each of them. */
  readonly rows: (FlowRunRow | null)[] = []
  /** What commands from now on are told of the slot of the run's deployment. */
  slot: Slot | null = null
  readonly #fold = createMemoryFold([flowRun])
  #nowMs = BEGAN_MS
  #ids = 0
  #lastVersion = 0

  /** Negative seconds too: the clock of another server may be behind. */
  pass(seconds: number): this {
    this.#nowMs += seconds * 1_000
    return this
  }

  get now(): string {
    return instantOfMs(this.#nowMs).iso
  }

  later(seconds: number): string {
    return instantOfMs(this.#nowMs + seconds * 1_000).iso
  }

  /** The run, which must be there. */
  get run(): FlowRunRow {
    if (this.row === null) throw new Error('there is no run')
    return this.row
  }

  get state(): State {
    return this.run.state as State
  }

  command(command: FlowRunCommand): FlowRunAnswer {
    const newId = () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`
    const context = { now: this.now, lastVersion: this.#lastVersion, newId, around: ALONE, slot: this.slot }
    const { events, answer } = decideFlowRun(this.row, command, context)
    for (const event of events) {
      if (event.event === FLOW_RUN_DELETED) this.#lastVersion = this.run.version + 1
      this.events.push(event)
      this.#fold.apply(event)
      this.row = (this.#fold.rows().get(flowRun.name)?.[0] ?? null) as FlowRunRow | null
      this.rows.push(this.row)
    }
    return answer
  }

  create(run: Partial<NewFlowRun> = {}): this {
    const { id = RUN_ID, name = 'able-otter', flow_id = 'flow', flow_name = 'f' } = run
    this.command({ type: 'create', run: { ...run, id, name, flow_id, flow_name }, state: { type: 'PENDING' } })
    return this
  }

  /** Proposes a state; says what became of that: `ACCEPT`, or `REJECT: the reason`. */
  propose(type: State['type'], state: Omit<Partial<State>, 'state_details'> & Details = {}, force = false): string {
    const answer = this.command({ type: 'set-state', state: { type, ...state }, force })
    if (answer.kind !== 'run' || answer.verdict === null) return 'none'
    const { ruling } = answer.verdict
    if (ruling.kind === 'pass') return 'ACCEPT'
    if (ruling.kind === 'wait') return `WAIT ${ruling.seconds}`
    return `${ruling.kind.toUpperCase()}: ${ruling.reason}`
  }
}

interface Details {
  readonly state_details?: Partial<State['state_details']>
}
