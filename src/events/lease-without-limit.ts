/** A lease whose limit was deleted, as its events tell it: each carries, in `payload.lease_without_limit`, what it set. */
import { type Static, Type } from '@sinclair/typebox'
import { RECORD_COLUMNS } from './columns.ts'

/** The row of such a lease; its id is that of the lease. It holds no slots any more. */
export const LeaseWithoutLimit = Type.Object({ ...RECORD_COLUMNS, lasts_until: Type.String() })
export type LeaseWithoutLimitRow = Static<typeof LeaseWithoutLimit>

export const LEASE_WITHOUT_LIMIT_RENEWED = 'millrace.lease-without-limit.renewed'
