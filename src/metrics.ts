/**
 * The product's counters, gauges and histograms, each declared here with its help text and labels, so that whoever
 * builds a dashboard finds them in one place. A process makes them once; every process serves them at `/metrics`.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** By which way an event came in. */
export type Door = 'http' | 'socket' | 'cloudevents'

/** What became of an event at the door. */
export type Verdict = 'accepted' | 'duplicate' | 'invalid' | 'expired'

/** Why a request was refused before its events were looked at. */
export type Refusal = 'backlog' | 'body_too_large' | 'batch_too_large' | 'bus_unavailable' | 'store_unavailable'

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
      help: 'Requests refused as a whole before their events were looked at, by reason.',
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
    reconnects: new Counter<'server'>({
      name: 'millrace_reconnects_total',
      help: 'Connections made again after a loss, by server: redis or postgres.',
      labelNames: ['server'],
      registers,
    }),
    trimmedEntries: new Counter({
      name: 'millrace_trimmed_entries_total',
      help: 'Stream entries removed behind the slowest consumer group.',
      registers,
    }),
  }
}
