/** A variable as its events tell it: each carries, in `payload.variable`, the fields that it set. */
import { type Static, Type } from '@sinclair/typebox'
import { RECORD_COLUMNS, Tags } from './columns.ts'
import { indexedText } from './formats.ts'

/** The row of a variable. */
export const Variable = Type.Object({ ...RECORD_COLUMNS, name: indexedText(), value: Type.Unknown(), tags: Tags })
export type VariableRow = Static<typeof Variable>
