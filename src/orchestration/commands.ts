/** Gives commands: finds the row that a command is about, has it carried out, and answers when everybody can see it. */
import { FLOW_RUN_DELETED, type FlowRunRow } from '#src/events/flow-run.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import type { Executor } from './execute.ts'
import { decideFlowRun, type FlowRunAnswer, type FlowRunCommand } from './flow-run/decide.ts'
import { ALONE, type Surroundings } from './flow-run/events.ts'
import { forgetEarlierInput } from './flow-run/pause-input.ts'
import { commandSlot } from './flow-run/slots.ts'
import { createSurroundings } from './flow-run/surroundings.ts'
import type { Slot } from './flow-run/transition.ts'
import { type AggregateRow, decideRecord, type RecordCommand, resourceIdOf } from './record.ts'
import type { Records, StoredRecord } from './stored-record.ts'
import { createTaskRunCommands, type TaskRunCommands } from './task-run/commands.ts'

/** What routes and background services change anything by. All reject like `Executor.run`. */
export interface Commands extends Records {
  /** @param id of the run; for `create` the one that it gets */
  flowRun(id: string, command: FlowRunCommand): Promise<FlowRunAnswer>
  readonly taskRuns: TaskRunCommands
  /** Events that nobody decides, such as logs: appended, and seen before this resolves. */
  readonly events: Executor['record']
}

export interface CommandNeeds {
  readonly executor: Executor
  readonly store: Pick<Store, 'queries'>
  readonly now: () => string
  readonly newId: () => string
}

export function createCommands(needs: CommandNeeds): Commands {
  const { executor, store } = needs
  const taskRuns = createTaskRunCommands(needs)
  const surroundings = createSurroundings(store)
  const slotNeeds = { ...needs, commands: { record } }

  async function flowRun(id: string, command: FlowRunCommand): Promise<FlowRunAnswer> {
    let around: Surroundings = ALONE
    let before: FlowRunRow | null = null
    let slot: Slot | null = null
    const its = commandSlot(slotNeeds, id, command)
    const answer = await executor.run<FlowRunRow, FlowRunAnswer>({
      resourceId: `prefect.flow-run.${id}`,
      load: () => flowRunTable.find(store.queries, sql.fragment`t.id = ${id}`),
      async prepare(run) {
        const about = run ?? (command.type === 'create' ? command.run : null)
        if (about !== null) around = await surroundings(about)
        slot = run === null ? null : await its.prepare(run)
      },
      decide(run, context) {
        before = run
        return decideFlowRun(run, command, { ...context, around, slot })
      },
      after: (answer) => (answer.kind === 'run' ? answer.run : null),
      ends: ({ event }) => event === FLOW_RUN_DELETED,
      refusal: flowRunTable.refusal,
    })
    if (before !== null) await its.settle(before, answer)
    await forgetEarlierInput({ record }, command, answer)
    // Also when nothing was done: the client may ask again because the mirroring failed.
    if (answer.kind === 'run' && command.type !== 'update') await taskRuns.mirror(answer.run)
    return answer
  }

  function record<Row extends AggregateRow>(kind: StoredRecord<Row>, id: string, command: RecordCommand<Row>) {
    return executor.run({
      resourceId: resourceIdOf(kind, id),
      load: () => kind.table.find(store.queries, sql.fragment`t.id = ${id}`),
      decide: (row, context) => decideRecord(kind, row, command, context),
      after: ({ row }) => row,
      ends: ({ event }) => event === `${kind.from}.${kind.kind}.deleted`,
      refusal: kind.table.refusal,
    })
  }

  return { flowRun, taskRuns, record, events: executor.record }
}
