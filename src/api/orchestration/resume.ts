/** `/flow_runs/{id}/resume`: lets a paused run go on, with the answers that it asked for. */
import { Validator } from '@cfworker/json-schema'
import { type Static, Type } from '@sinclair/typebox'
import type { State } from '#src/events/state.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { flowRunInputTable } from '#src/store/flow-run-input.ts'
import { sql } from '#src/store/sql.ts'
import { Conflict, NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { maybe, Params } from './fields.ts'
import { sendInput, takeBackInput } from './flow-run-input.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { OrchestrationResult, resultOf } from './states.ts'

const Body = Type.Object({ run_input: maybe(Type.Record(Type.String(), Type.Unknown())) })
type Result = Static<typeof OrchestrationResult>

export function resume(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store } = needs

  app.post(
    `/flow_runs/${ID}/resume`,
    { schema: { params: Params, body: Body, response: { 200: OrchestrationResult, 201: OrchestrationResult } } },
    async ({ params, body }, reply) => {
      const run = await flowRunTable.find(store.queries, sql.fragment`t.id = ${params.id}`)
      if (run === null) throw new NotFound('Flow run not found')
      const state = run.state as State
      const keyset = state.type === 'PAUSED' ? state.state_details.run_input_keyset : null
      const answers = body.run_input ?? {}
      const problem = keyset && (await problemWith(params.id, keyset['schema'] ?? '', answers))
      if (problem) return { state, status: 'REJECT', details: { type: 'abort_details', reason: problem } } as Result

      // The run reads its answers as soon as it goes on, so they are there before; and taken back when it doesn't.
      const key = keyset && Object.keys(answers).length > 0 ? (keyset['response'] ?? '') : null
      const value = JSON.stringify(answers)
      const sent = key === null ? null : await sendInput(needs, { ...of(params.id), key, value })
      // The same answers are those of a request that got no answer itself.
      if (sent !== null && sent.row?.value !== value) throw new Conflict('The run was answered otherwise already.')
      const answer = await commands.flowRun(params.id, { type: 'resume' })
      if (answer.kind === 'none') throw new NotFound('Flow run not found')
      const result = resultOf(answer)
      const goesOn = answer.run.state_type === 'RUNNING' || answer.run.state_type === 'SCHEDULED'
      if (key !== null && sent?.isNew && !goesOn) await takeBackInput(needs, params.id, key)
      return reply.code(answer.isNew ? 201 : 200).send(state.type === 'PAUSED' ? result : { ...result, state: null })
    },
  )

  const of = (flow_run_id: string) => ({ flow_run_id, sender: null })

  /** What is wrong with the answers, by the schema that the run sent to itself when it paused; null when nothing is. */
  async function problemWith(flowRunId: string, key: string, answers: object): Promise<string | null> {
    const where = sql.fragment`t.flow_run_id = ${flowRunId} and t.key = ${key}`
    const schema = await flowRunInputTable.find(store.queries, where)
    if (schema === null) return 'Run input schema not found.'
    let parsed: unknown
    try {
      parsed = JSON.parse(schema.value)
    } catch {
      return 'Run input schema is not valid JSON.'
    }
    const { valid, errors } = new Validator(parsed as object, '2020-12', false).validate(answers)
    return valid ? null : `Reason: ${errors.map(({ error }) => error).join(' ')}`
  }
}
