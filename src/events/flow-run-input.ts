import { type Static, Type } from '@sinclair/typebox'

/** Something that was sent to a flow run: a value under a key. Names of fields are those of the table `flow_run_input`. */
export const FlowRunInput = Type.Object({
  id: Type.String(),
  version: Type.Integer(),
  created: Type.String(),
  updated: Type.String(),
  flow_run_id: Type.String(),
  key: Type.String(),
  /** As it was sent: text, mostly JSON. */
  value: Type.String(),
  sender: Type.Union([Type.String(), Type.Null()]),
})
export type FlowRunInputRow = Static<typeof FlowRunInput>
