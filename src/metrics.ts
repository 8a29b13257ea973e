/**
 * The product's counters, gauges and histograms, each declared here with its help text and labels, so that whoever
 * builds a dashboard finds them in one place. A process makes them once; every process serves them at `/metrics`.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { createQueueGauges } from './queue-gauges.ts'
import { createRetentionGauges } from './retention-gauges.ts'

/** By which way an event came in. */
export type Door = 'http' | 'socket' | 'cloudevents'

/** What became of an event at the door. */
export type Verdict = 'accepted' | 'duplicate' | 'invalid' | 'expired'

/** Why a request was refused for what the server is or has to do, not for what it says. */
export type Refusal =
  | 'backlog'
  | 'concurrency'
  | 'large_bodies'
  | 'rate'
  | 'body_too_large'
  | 'bus_unavailable'
  | 'store_unavailable'

/** All metrics of a process, and the registry that prints them. */
export type Metrics = ReturnType<typeof createMetrics>

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const EVENTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]

/** Makes a registry of its own, with Node's default metrics unless they are turned off (several in one process: tests). */
export function createMetrics({ defaults = true }: { readonly defaults?: boolean } = {}) {
  const registry = new Registry()
  const registers = [registry]
  if (defaults) collectDefaultMetrics({ register: registry })
  return {
    registry,
    /** `millrace_queue_items` and `millrace_queue_bytes`. */
    queues: createQueueGauges(registers),
    /** `millrace_log_…`, `millrace_table_…` and `millrace_retention_waiting_days`. */
    retention: createRetentionGauges(registers),
    events: new Counter<'door' | 'verdict'>({
      name: 'millrace_events_total',
      help: 'Events that came in, by door and by verdict: accepted, duplicate, invalid or expired.',
      labelNames: ['door', 'verdict'],
      registers,
    }),
    appendSeconds: new Histogram({
      name: 'millrace_append_seconds',
      help: 'Time of one append to Redis, from the call to its answer.',
      buckets: SECONDS,
      registers,
    }),
    appendBatchEvents: new Histogram({
      name: 'millrace_append_batch_events',
      help: 'Events in one append, all of one partition.',
      buckets: EVENTS,
      registers,
    }),
    backlogEvents: new Gauge<'group'>({
      name: 'millrace_backlog_events',
      help: 'Events in the streams that this consumer group has not committed yet, as last looked at.',
      labelNames: ['group'],
      registers,
    }),
    heldRequests: new Counter({
      name: 'millrace_held_requests_total',
      help: 'Requests that were made to wait because the backlog was long.',
      registers,
    }),
    refusedRequests: new Counter<'reason'>({
      name: 'millrace_refused_requests_total',
      help: 'Requests refused as a whole for what the server is or has to do, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    persistedEvents: new Counter({
      name: 'millrace_persisted_events_total',
      help: 'Events committed to the log in Postgres; one delivered twice counts once.',
      registers,
    }),
    persistSeconds: new Histogram({
      name: 'millrace_persist_seconds',
      help: 'Time of one transaction that writes a batch to the log and moves the checkpoint.',
      buckets: SECONDS,
      registers,
    }),
    persistBatchEvents: new Histogram({
      name: 'millrace_persist_batch_events',
      help: 'Events in one transaction to the log.',
      buckets: EVENTS,
      registers,
    }),
    recordedEvents: new Counter({
      name: 'millrace_recorded_events_total',
      help: 'Events folded into the tables of projections and committed; one delivered twice counts once.',
      registers,
    }),
    recordSeconds: new Histogram({
      name: 'millrace_record_seconds',
      help: 'Time of one transaction that folds a batch into the tables of projections and moves the checkpoint.',
      buckets: SECONDS,
      registers,
    }),
    recordBatchEvents: new Histogram({
      name: 'millrace_record_batch_events',
      help: 'Events in one transaction to the tables of projections.',
      buckets: EVENTS,
      registers,
    }),
    projectionSeconds: new Histogram<'projection'>({
      name: 'millrace_projection_seconds',
      help: 'Time of reading, or of writing, the rows of one projection that a batch concerns.',
      labelNames: ['projection'],
      buckets: SECONDS,
      registers,
    }),
    rebuildProgress: new Gauge<'projection'>({
      name: 'millrace_rebuild_progress',
      help: 'How much of the log a rebuild of a projection that this process runs has folded: 0 to 1.',
      labelNames: ['projection'],
      registers,
    }),
    deadLetters: new Counter<'group'>({
      name: 'millrace_dead_letters_total',
      help: 'Events set aside with their reason, by consumer group.',
      labelNames: ['group'],
      registers,
    }),
    losses: new Counter<'group' | 'cause'>({
      name: 'millrace_losses_total',
      help: 'Losses written to the ledger: ranges of entries that a consumer group needed and that Redis lost.',
      labelNames: ['group', 'cause'],
      registers,
    }),
    streamEntries: new Gauge<'partition'>({
      name: 'millrace_stream_entries',
      help: "Entries in a partition's stream, as the janitor last looked.",
      labelNames: ['partition'],
      registers,
    }),
    streamBytes: new Gauge<'partition'>({
      name: 'millrace_stream_bytes',
      help: "Memory of a partition's stream in Redis, estimated, as the janitor last looked.",
      labelNames: ['partition'],
      registers,
    }),
    liveSubscribers: new Gauge({
      name: 'millrace_live_subscribers',
      help: 'Sockets that receive live events from this process.',
      registers,
    }),
    liveResumed: new Counter({
      name: 'millrace_live_resumed_total',
      help: 'Times that this process could read live events from Redis again after it could not.',
      registers,
    }),
    unavailable: new Gauge<'server'>({
      name: 'millrace_unavailable_seconds',
      help: 'For how long redis, or postgres, has not answered this process: since the last scrape at which it did; 0 when it does.',
      labelNames: ['server'],
      registers,
    }),
    prunedRows: new Counter<'table'>({
      name: 'millrace_pruned_rows_total',
      help: 'Rows of a table that is no day of the log that retention deleted.',
      labelNames: ['table'],
      registers,
    }),
    prunedEvents: new Counter<'how'>({
      name: 'millrace_pruned_events_total',
      help: "Events that retention removed: dropped with their day (by Postgres' statistics) or deleted one by one.",
      labelNames: ['how'],
      registers,
    }),
    prunedBytes: new Counter({
      name: 'millrace_pruned_bytes_total',
      help: 'Size of the days that retention dropped, with their indexes.',
      registers,
    }),
    archivedEvents: new Counter({
      name: 'millrace_archived_events_total',
      help: 'Events written to the archive, read back and compared.',
      registers,
    }),
    archivedBytes: new Counter({
      name: 'millrace_archived_bytes_total',
      help: 'Bytes of that, packed.',
      registers,
    }),
    retentionLockSeconds: new Histogram({
      name: 'millrace_retention_lock_seconds',
      help: 'Time of each attempt to take a day out of the log, in which it was locked or waited for.',
      buckets: SECONDS,
      registers,
    }),
    retentionFailures: new Counter({
      name: 'millrace_retention_failures_total',
      help: 'Parts of runs of retention that failed: a day, a name of a day, a table. The log of the process names them.',
      registers,
    }),
    ticksEmitted: new Counter({
      name: 'millrace_ticks_emitted_total',
      help: 'Ticks that this process put into the stream when they were due.',
      registers,
    }),
    ticksDecided: new Counter<'job' | 'outcome'>({
      name: 'millrace_ticks_decided_total',
      help: 'Ticks that this process wrote the outcome of: done, skipped or failed.',
      labelNames: ['job', 'outcome'],
      registers,
    }),
    ticksSuppressed: new Counter<'cause'>({
      name: 'millrace_ticks_suppressed_total',
      help: 'Ticks that came again and were not run again: decided, busy, early, alone or free.',
      labelNames: ['cause'],
      registers,
    }),
    ticksFenced: new Counter({
      name: 'millrace_ticks_fenced_total',
      help: 'Outcomes that were not recorded, since another process had taken the tick over.',
      registers,
    }),
    tickGaps: new Counter<'how'>({
      name: 'millrace_tick_gaps_total',
      help: 'Due ticks without a row that the auditor found: opened, to be run, or skipped.',
      labelNames: ['how'],
      registers,
    }),
    tickLateness: new Histogram<'job'>({
      name: 'millrace_tick_lateness_seconds',
      help: "How late ticks were begun, by Postgres' clock.",
      labelNames: ['job'],
      buckets: SECONDS,
      registers,
    }),
    watermarkAge: new Gauge<'job'>({
      name: 'millrace_tick_watermark_age_seconds',
      help: 'How long ago the oldest tick was due that is not decided; 0 when all are. As this process last looked.',
      labelNames: ['job'],
      registers,
    }),
    ticksWithoutRedis: new Gauge({
      name: 'millrace_ticks_without_redis',
      help: "1 while this process sees no Redis that ticks could go by, so that they go by Postgres' rounds; else 0.",
      registers,
    }),
    ticksOpen: new Gauge<'job'>({
      name: 'millrace_ticks_open',
      help: 'Ticks that wait or run, anywhere, as this process last looked.',
      labelNames: ['job'],
      registers,
    }),
    lagEvents: new Gauge<'group'>({
      name: 'millrace_lag_events',
      help: 'Events in the streams that a consumer group has not applied, as the lag reporter last looked.',
      labelNames: ['group'],
      registers,
    }),
    lagSeconds: new Gauge<'group'>({
      name: 'millrace_lag_seconds',
      help: 'Age of the oldest event that a consumer group has not applied, as the lag reporter last looked.',
      labelNames: ['group'],
      registers,
    }),
    clockSkew: new Gauge<'clock'>({
      name: 'millrace_clock_skew_seconds',
      help: "How far the clock of redis or postgres is ahead of this process's; no decision depends on this process's.",
      labelNames: ['clock'],
      registers,
    }),
    trimmedEntries: new Counter({
      name: 'millrace_trimmed_entries_total',
      help: 'Stream entries removed behind the slowest consumer group.',
      registers,
    }),
  }
}
