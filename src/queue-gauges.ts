/** Two gauges for all queues of a process, read when somebody asks for them: the queues pay nothing. */
import { Gauge, type Registry } from 'prom-client'

/** Queues that there are; `docs/operating.md` says what bounds each and what happens when it is full. */
export type QueueName =
  | 'requests'
  | 'bodies'
  | 'held'
  | 'append'
  | 'commits'
  | 'socket_in'
  | 'socket_out'
  | 'consumer_persister'
  | 'consumer_recorder'
  | 'losses'
  | 'postgres'
  | 'ticks'

/** What waits now. `bytes` only where they are counted. */
export interface QueueState {
  readonly items: number
  readonly bytes?: number
}

export interface QueueGauges {
  /** Counts one more queue; those of one name are added up. Returns what takes it off again. */
  watch(name: QueueName, look: () => QueueState): () => void
}

export function createQueueGauges(registers: Registry[]): QueueGauges {
  const queues = new Map<QueueName, Set<() => QueueState>>()
  const gauge = (name: string, help: string, pick: (state: QueueState) => number | undefined) =>
    new Gauge<'queue'>({
      name,
      help,
      labelNames: ['queue'],
      registers,
      collect() {
        for (const [queue, looks] of queues) {
          const values = [...looks].map((look) => pick(look())).filter((value) => value !== undefined)
          if (values.length > 0)
            this.set(
              { queue },
              values.reduce((sum, value) => sum + value, 0),
            )
          else this.remove({ queue })
        }
      },
    })
  gauge('millrace_queue_items', 'What waits in a queue of this process, by queue.', ({ items }) => items)
  gauge('millrace_queue_bytes', 'Bytes of what waits in a queue of this process, by queue.', ({ bytes }) => bytes)
  return {
    watch(name, look) {
      const looks = queues.get(name) ?? new Set()
      queues.set(name, looks.add(look))
      return () => void looks.delete(look)
    },
  }
}
