/**
 * Questions to the event log. Each is answered in bounded time, whatever the filter and however much the log holds;
 * docs/event-queries.md says what each filter costs and what is given up for that.
 */
export { type Interval, MAX_BUCKETS, TIME_UNITS, type TimeUnit, TooManyBuckets } from './event-query/buckets.ts'
export type { StoredEvent } from './event-query/columns.ts'
export { type CountQuery, countEvents, type EventCount } from './event-query/count.ts'
export {
  countByEvent,
  countByResource,
  countByTime,
  type RangedCriteria,
  type ValueCount,
} from './event-query/count-by.ts'
export { findEvent } from './event-query/find.ts'
export { type Page, type PageQuery, queryEvents } from './event-query/page.ts'
export type { Key } from './event-query/spans.ts'
