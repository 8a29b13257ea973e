import { type TSchema, Type } from '@sinclair/typebox'
import { LRUCache } from 'lru-cache'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import type { Store } from '#src/store/pool.ts'
import { row, sql } from '#src/store/sql.ts'
import type { Surroundings } from './events.ts'

/** As many as Prefect's server remembers, and for a shorter time than its 5 minutes: tags of a flow may change. */
const REMEMBERED = { max: 1_000, ttl: 60_000 }

const Tags = Type.Array(Type.String())
const Flow = Type.Object({ tags: Tags })
const Deployment = Type.Object({ id: Type.String(), name: Type.String(), tags: Tags })
const WorkPool = Type.Object({ type: Type.String() })
const TaskRun = Type.Object({ name: Type.String(), tags: Tags })

/** What of a run says where it belongs. */
type Belongs = Partial<Pick<FlowRunRow, 'deployment_id' | 'work_pool_id' | 'parent_task_run_id'>> &
  Pick<FlowRunRow, 'flow_id'>

/** Finds what the events of a run say of the things that it belongs to. Such things rarely change: they are remembered. */
export function createSurroundings({ queries }: Pick<Store, 'queries'>) {
  /** By id; what is not there is looked for again the next time. */
  function remembering<S extends TSchema>(table: string, columns: readonly string[], schema: S) {
    const selected = sql.join(
      columns.map((column) => sql.identifier([column])),
      sql.fragment`, `,
    )
    const from = sql.identifier([table])
    const found = new LRUCache<string, NonNullable<S['static']>>({
      ...REMEMBERED,
      fetchMethod: async (id) =>
        (await queries.maybeOne(sql.type(row(schema))`select ${selected} from ${from} where id = ${id}`)) ?? undefined,
    })
    return async (id: string | null | undefined) => (id ? ((await found.fetch(id)) ?? null) : null)
  }

  const flow = remembering('flow', ['tags'], Flow)
  const deployment = remembering('deployment', ['id', 'name', 'tags'], Deployment)
  const workPool = remembering('work_pool', ['type'], WorkPool)
  const taskRun = remembering('task_run', ['name', 'tags'], TaskRun)

  return async function surroundings(run: Belongs): Promise<Surroundings> {
    const [of, deployed, pool, parent] = await Promise.all([
      flow(run.flow_id),
      deployment(run.deployment_id),
      workPool(run.work_pool_id),
      taskRun(run.parent_task_run_id),
    ])
    return {
      flowTags: of?.tags ?? [],
      deployment: deployed,
      workPoolType: pool?.type ?? null,
      parentTaskRun: parent,
    }
  }
}
