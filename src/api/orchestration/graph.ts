/** The graph of a flow run, of its parts: which of them was given what by which, and which ran within which. */
import { type Static, Type } from '@sinclair/typebox'
import type { State } from '#src/events/state.ts'
import type { RunArtifact, RunPart } from '#src/store/run-graph.ts'

const When = Type.Union([Type.String(), Type.Null()])
const Text = Type.Union([Type.String(), Type.Null()])
const Edges = Type.Array(Type.Object({ id: Type.String() }))
const GraphArtifact = Type.Object({
  id: Type.String(),
  created: Type.String(),
  key: Text,
  type: Text,
  is_latest: Type.Boolean(),
  data: Type.Unknown({ description: 'Only of what shows progress.' }),
})
const Node = Type.Object({
  kind: Type.Union([Type.Literal('flow-run'), Type.Literal('task-run')]),
  id: Type.String(),
  label: Type.String(),
  state_type: Type.String(),
  start_time: Type.String(),
  end_time: When,
  parents: Edges,
  children: Edges,
  encapsulating: Edges,
  artifacts: Type.Array(GraphArtifact),
})
export const Graph = Type.Object({
  start_time: When,
  end_time: When,
  root_node_ids: Type.Array(Type.String()),
  nodes: Type.Array(Type.Tuple([Type.String(), Node])),
  artifacts: Type.Array(GraphArtifact),
  states: Type.Array(
    Type.Object({ id: Type.String(), timestamp: Type.String(), type: Type.String(), name: Type.String() }),
  ),
})

/** What it is made of; parts by when they began. */
export interface Drawn {
  readonly run: { readonly start_time: string | null; readonly end_time: string | null }
  readonly parts: readonly RunPart[]
  readonly artifacts: readonly RunArtifact[]
  /** Of the flow run. */
  readonly states: readonly Pick<State, 'id' | 'timestamp' | 'type' | 'name'>[]
  /** Parts that ended before it are left out; their edges stay. Canonical. */
  readonly since: string | null
}

/** The name among a task's inputs of those that it ran within. */
const WITHIN = '__parents__'

export function graphOf({ run, parts, artifacts, states, since }: Drawn): Static<typeof Graph> {
  const { parents, children, encapsulating } = edgesOf(parts)
  const ofTask = Map.groupBy(artifacts, ({ task_run_id }) => task_run_id)
  const edges = (to: ReadonlyMap<string, Set<string>>, id: string) =>
    [...(to.get(id) ?? [])].map((one) => ({ id: one }))
  const shown = parts.filter(({ end_time }) => end_time === null || since === null || end_time >= since)
  const nodes = shown.map(({ task_run_id, task_inputs: _, ...part }): [string, Static<typeof Node>] => [
    part.id,
    {
      ...part,
      parents: edges(parents, part.id),
      children: edges(children, part.id),
      encapsulating: edges(encapsulating, part.id),
      artifacts: (ofTask.get(task_run_id) ?? []).map(artifactOf),
    },
  ])
  return {
    ...run,
    root_node_ids: shown.flatMap(({ id }) => (parents.has(id) ? [] : [id])),
    nodes,
    artifacts: (ofTask.get(null) ?? []).map(artifactOf),
    states: states.map(({ id, timestamp, type, name }) => ({ id, timestamp, type, name })),
  }
}

/** Between parts, each edge once. A task run that stands for a nested flow is known by that flow's run. */
function edgesOf(parts: readonly RunPart[]) {
  const parents = new Map<string, Set<string>>()
  const children = new Map<string, Set<string>>()
  const encapsulating = new Map<string, Set<string>>()
  const ids = new Map(parts.flatMap(({ id, task_run_id }) => [[task_run_id, id] as const, [id, id] as const]))
  const add = (map: Map<string, Set<string>>, from: string, to: string) =>
    map.set(from, (map.get(from) ?? new Set()).add(to))
  for (const { id, task_inputs } of parts)
    for (const { name, input } of inputsOf(task_inputs)) {
      const other = ids.get(String(input.id))
      if (other === undefined) continue
      if (name === WITHIN) add(encapsulating, id, other)
      else {
        add(parents, id, other)
        add(children, other, id)
      }
    }
  return { parents, children, encapsulating }
}

/** What a task run was given, in the form in which its client told it; what has another form is passed over. */
export function inputsOf(
  given: unknown,
): { readonly name: string; readonly input: Readonly<Record<string, unknown>> }[] {
  if (typeof given !== 'object' || given === null) return []
  return Object.entries(given).flatMap(([name, inputs]) =>
    Array.isArray(inputs) ? inputs.filter(isObject).map((input) => ({ name, input })) : [],
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function artifactOf({ task_run_id: _, ...artifact }: RunArtifact): Static<typeof GraphArtifact> {
  return artifact
}
