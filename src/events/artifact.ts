/** An artifact as its events tell it: each carries, in `payload.artifact`, the fields that it set. */
import { type Static, Type } from '@sinclair/typebox'
import { MaybeId, MaybeText, RECORD_COLUMNS } from './columns.ts'
import { indexedText } from './formats.ts'

/** The row of an artifact. Of those that share a key the one that was created last is the latest. */
export const Artifact = Type.Object({
  ...RECORD_COLUMNS,
  key: Type.Union([indexedText(), Type.Null()]),
  type: MaybeText,
  description: MaybeText,
  data: Type.Unknown(),
  metadata_: Type.Unknown(),
  flow_run_id: MaybeId,
  task_run_id: MaybeId,
})
export type ArtifactRow = Static<typeof Artifact>
