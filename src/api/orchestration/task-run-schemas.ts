/** Task runs as clients make them. */
import { type Static, Type } from '@sinclair/typebox'
import { indexedText, nameText } from '#src/events/formats.ts'
import { type NewTaskRun, runName } from '#src/orchestration/index.ts'
import { instant, Labels, maybe, Tags, Uuid, When } from './fields.ts'
import { StateCreate } from './states.ts'

const Text = maybe(Type.String())
const Delays = Type.Union([Type.Number(), Type.Array(Type.Number(), { maxItems: 50 })])
const Policy = Type.Object({
  max_retries: Type.Optional(Type.Integer()),
  retry_delay_seconds: Type.Optional(Type.Number()),
  retries: maybe(Type.Integer()),
  /** Seconds; a list has those before each retry. */
  retry_delay: maybe(Delays),
  retry_jitter_factor: maybe(Type.Number({ minimum: 0 })),
})

/** What a task run was given, or by which run. */
const Input = Type.Union([
  Type.Object({ input_type: Type.Literal('task_run'), id: Uuid }),
  Type.Object({ input_type: Type.Literal('flow_run'), id: Uuid }),
  Type.Object({ input_type: Type.Literal('parameter'), name: Type.String() }),
  Type.Object({ input_type: Type.Literal('constant'), type: Type.String() }),
])

export const TaskRunCreate = Type.Object(
  {
    id: maybe(Uuid),
    state: maybe(StateCreate),
    name: maybe(indexedText()),
    flow_run_id: maybe(Uuid),
    task_key: nameText(),
    dynamic_key: nameText(),
    cache_key: maybe(Type.String({ maxLength: 2000 })),
    cache_expiration: maybe(When),
    task_version: Text,
    empirical_policy: Type.Optional(Policy),
    tags: Type.Optional(Tags),
    labels: maybe(Labels),
    task_inputs: Type.Optional(Type.Record(Type.String(), Type.Array(Input))),
  },
  { additionalProperties: false },
)

/** The part of a new task run that the body alone says. */
export function newTaskRun(body: Static<typeof TaskRunCreate>): Omit<NewTaskRun, 'id' | 'flow_run_id' | 'labels'> {
  return {
    name: body.name || runName(),
    task_key: body.task_key,
    dynamic_key: body.dynamic_key,
    cache_key: body.cache_key ?? null,
    cache_expiration: body.cache_expiration == null ? null : instant(body.cache_expiration),
    task_version: body.task_version ?? null,
    empirical_policy: policyOf(body.empirical_policy),
    tags: body.tags ?? [],
    task_inputs: body.task_inputs ?? {},
  }
}

/** The older names of retries stand for the newer ones, where these say nothing. */
function policyOf({ max_retries = 0, retry_delay_seconds = 0, ...policy }: Static<typeof Policy> = {}) {
  const { retries, retry_delay, retry_jitter_factor } = policy
  return {
    max_retries,
    retry_delay_seconds,
    retries: !retries && max_retries !== 0 ? max_retries : (retries ?? null),
    retry_delay: !retry_delay && retry_delay_seconds !== 0 ? retry_delay_seconds : (retry_delay ?? null),
    retry_jitter_factor: retry_jitter_factor ?? null,
  }
}
