/** A flow as its events tell it: each carries, in `payload.flow`, the fields of the flow that it set. */
import { type Static, Type } from '@sinclair/typebox'

/** The row of a flow: names of fields are those of the table `flow` and of Prefect's API. */
export const Flow = Type.Object({
  id: Type.String(),
  /** Events that commands made for it. */
  version: Type.Integer(),
  created: Type.String(),
  updated: Type.String(),
  name: Type.String(),
  tags: Type.Array(Type.String()),
  labels: Type.Record(Type.String(), Type.Unknown()),
})
export type FlowRow = Static<typeof Flow>
