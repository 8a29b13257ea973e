import { Type } from '@sinclair/typebox'
import type { EventRecord } from '#src/events/record.ts'
import { type FragmentSqlToken, row, sql } from '../sql.ts'

/** An event as the log keeps it: JSON stays text. `eventJson` of `events/record.ts` makes it whole. */
export interface StoredEvent extends EventRecord {
  readonly received: string
}

/** The schema of a row of `columns`. */
export const StoredRow = row(
  Type.Object({
    occurred: Type.String(),
    id: Type.String(),
    event: Type.String(),
    resourceId: Type.String(),
    follows: Type.Union([Type.String(), Type.Null()]),
    resource: Type.String(),
    related: Type.String(),
    payload: Type.String(),
    received: Type.String(),
  }),
)

/** A timestamptz as canonical text, whatever the session's time zone and date style. */
export function instantText(value: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

/** What a StoredEvent has, of `e`. No JSON operator looks into `payload`: it may hold what Postgres can't decode. */
export const columns = sql.fragment`${instantText(sql.fragment`e.occurred`)} as occurred, e.id, e.event,
  e.resource_id as "resourceId", e.follows, e.resource::text as resource, e.related::text as related,
  e.payload::text as payload, ${instantText(sql.fragment`e.received`)} as received`
