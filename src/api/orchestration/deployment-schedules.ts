/** `/deployments/{id}/schedules`: a deployment's schedules, one by one. */
import { Type } from '@sinclair/typebox'
import type { DeploymentRow } from '#src/events/deployment.ts'
import {
  addSchedules,
  type Changes,
  changeSchedule,
  DEPLOYMENTS,
  deleteScheduledRuns,
  scheduleFields,
} from '#src/orchestration/index.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { dropFutureRuns, findDeployment } from './deployment-commands.ts'
import { ScheduleCreate, ScheduleResponse, ScheduleUpdate, schedulesOf } from './deployment-schemas.ts'
import { Nothing, Params, Uuid, uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const OneParams = Type.Object({ id: Type.String(), schedule: Uuid })

export function deploymentSchedules(app: Api, needs: OrchestrationNeeds): void {
  const { commands } = needs
  const list = `/deployments/${ID}/schedules`
  const one = `${list}/:schedule`

  app.get(list, { schema: { params: Params, response: { 200: Type.Array(ScheduleResponse) } } }, async ({ params }) =>
    schedulesOf(await deploymentOf(params.id)),
  )

  app.post(
    list,
    { schema: { params: Params, body: Type.Array(ScheduleCreate), response: { 201: Type.Array(ScheduleResponse) } } },
    async ({ params, body }, reply) => {
      const before = await deploymentOf(params.id)
      const row = await change(params.id, (row, context) => scheduleFields(addSchedules(row.schedules, body, context)))
      const known = new Set(before.schedules.map(({ id }) => id))
      return reply.code(201).send(schedulesOf(row).filter(({ id }) => !known.has(id)))
    },
  )

  app.patch(
    one,
    { schema: { params: OneParams, body: ScheduleUpdate, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      const schedule = uuid(params.schedule)
      await has(params.id, schedule)
      await change(params.id, (row, context) => scheduleFields(changeSchedule(row.schedules, schedule, body, context)))
      await dropFutureRuns(needs, params.id)
      return reply.code(204).send(null)
    },
  )

  app.delete(one, { schema: { params: OneParams, response: { 204: Nothing } } }, async ({ params }, reply) => {
    const schedule = uuid(params.schedule)
    await has(params.id, schedule)
    await change(params.id, ({ schedules }) => scheduleFields(schedules.filter(({ id }) => id !== schedule)))
    await deleteScheduledRuns(needs, params.id, { autoOnly: true, after: null })
    return reply.code(204).send(null)
  })

  async function deploymentOf(id: string): Promise<DeploymentRow> {
    const row = await findDeployment(needs, id)
    if (row === null) throw new NotFound('Deployment not found.')
    return row
  }

  async function has(id: string, schedule: string): Promise<void> {
    const { schedules } = await deploymentOf(id)
    if (!schedules.some((each) => each.id === schedule)) throw new NotFound('Schedule not found.')
  }

  async function change(id: string, changes: Changes<DeploymentRow>): Promise<DeploymentRow> {
    const { row } = await commands.record(DEPLOYMENTS, id, { type: 'update', changes })
    if (row === null) throw new NotFound('Deployment not found.')
    return row
  }
}
