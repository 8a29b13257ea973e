import type { PoolClient } from 'pg'
import type { Log } from '#src/log.ts'
import type { Job, Tick } from '#src/ticks/index.ts'
import type { OwnService, ServiceClient, ServiceTick } from './own.ts'

/** The job that the scheduler runs for a service of the program around. */
export function ownJob(service: OwnService, log: Log): Job {
  const { name, schedule, policy = {}, startsAtOnce = false } = service
  const context = { log: log.child({ service: name }) }
  return {
    ...{ name, schedule, policy, startsAtOnce },
    run: async (tick) => (await service.run(ownTick(tick), context)) ?? {},
  }
}

function ownTick(tick: Tick): ServiceTick {
  return {
    ...tick,
    transaction: (work) => tick.transaction((client) => work(ownClient(client))),
    commit: (work) => tick.commit(async (client) => (await work(ownClient(client))) ?? {}),
  }
}

function ownClient(client: PoolClient): ServiceClient {
  return {
    async query(text, values = []) {
      const { rows, rowCount } = await client.query(text, [...values])
      return { rows, rowCount }
    },
  }
}
