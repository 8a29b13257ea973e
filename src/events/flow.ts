/** A flow as its events tell it: each carries, in `payload.flow`, the fields of the flow that it set. */
import { type Static, Type } from '@sinclair/typebox'
import { Labels, RECORD_COLUMNS, Tags } from './columns.ts'
import { nameText } from './formats.ts'

/** The row of a flow: names of fields are those of the table `flow` and of Prefect's API. */
export const Flow = Type.Object({
  ...RECORD_COLUMNS,
  name: nameText(),
  tags: Tags,
  labels: Labels,
})
export type FlowRow = Static<typeof Flow>
