/** Types of columns that many rows have. */
import { Type } from '@sinclair/typebox'
import { indexedText, int4 } from './formats.ts'

/** A UUID, or none. */
export const MaybeId = Type.Union([Type.String(), Type.Null()])
/** A canonical instant, or none. */
export const MaybeInstant = Type.Union([Type.String(), Type.Null()])
export const MaybeText = Type.Union([Type.String(), Type.Null()])
export const MaybeInteger = Type.Union([int4(), Type.Null()])
export const Tags = Type.Array(indexedText())
export const Labels = Type.Record(Type.String(), Type.Unknown())

/** What every row has that commands make: see `decideRecord`. */
export const RECORD_COLUMNS = {
  id: Type.String(),
  /** Events that commands made for it. */
  version: Type.Integer(),
  created: Type.String(),
  updated: Type.String(),
}
