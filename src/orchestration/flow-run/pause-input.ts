/** What a run is asked when it pauses, and what is answered, is of one attempt: the next asks anew, under the same keys. */
import type { FlowRunRow } from '#src/events/flow-run.ts'
import type { State } from '#src/events/state.ts'
import { FLOW_RUN_INPUTS, flowRunInputId } from '../flow-run-input.ts'
import type { Records } from '../stored-record.ts'
import type { FlowRunAnswer, FlowRunCommand } from './decide.ts'

/**
 * Deletes what an earlier attempt left under the keys of a pause that begins. Before the answer, since the client sends its
 * question after it; and when it asks for this pause once more, since it got no answer then, and may have sent nothing.
 */
export async function forgetEarlierInput(
  records: Records,
  command: FlowRunCommand,
  answer: FlowRunAnswer,
): Promise<void> {
  if (command.type !== 'set-state' || command.force || answer.kind !== 'run') return
  const { run, isNew } = answer
  const { type, state_details } = run.state as State
  if (type !== 'PAUSED' || !(isNew || asksAgain(command, run))) return
  for (const key of Object.values(state_details.run_input_keyset ?? {}))
    await records.record(FLOW_RUN_INPUTS, flowRunInputId(run.id, key), { type: 'delete' })
}

function asksAgain({ state }: Extract<FlowRunCommand, { type: 'set-state' }>, run: FlowRunRow): boolean {
  const { transition_id } = (run.state as State).state_details
  return transition_id !== null && transition_id === state.state_details?.transition_id
}
