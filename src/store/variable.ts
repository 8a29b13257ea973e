import { Variable, type VariableRow } from '#src/events/variable.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Variables, as the projection `variable` keeps them. */
export const variableTable: RowTable<VariableRow> = rowTable('variable', Variable.properties)
