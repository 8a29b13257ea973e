import type { RowTable } from '#src/store/row-table.ts'
import type { AggregateRow, RecordAnswer, RecordCommand, RecordKind } from './record.ts'

/** A kind of record with the table that its events are projected into. */
export interface StoredRecord<Row extends AggregateRow> extends RecordKind<Row> {
  readonly table: RowTable<Row>
}

/** What changes records. */
export interface Records {
  /** Rejects like `Executor.run`. */
  record<Row extends AggregateRow>(
    kind: StoredRecord<Row>,
    id: string,
    command: RecordCommand<Row>,
  ): Promise<RecordAnswer<Row>>
}
