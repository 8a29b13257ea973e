/**
 * Commands to one aggregate are decided by one process together: those that come while others are under way wait, and go in
 * one append after that. So they don't race each other, and a hundred of them cost little more than one.
 */

import type { Standing } from './decide-in-turn.ts'

/** Of one aggregate. */
export interface Lane<Command> {
  /** In the order in which they came. */
  readonly queue: Command[]
  /** What the aggregate is once what was appended last is applied; null when the next commands have to read the table. */
  head: Head<unknown> | null
  /** When the table was last read, in epoch ms. */
  readMs: number
}

/** An aggregate as this process has left it. */
export interface Head<Row> extends Standing<Row> {
  /** The epoch of the layout under which it holds. */
  readonly epoch: number
  /** Waits until every read sees it. @param until epoch ms */
  seen(until: number): Promise<void>
}

export class Lanes<Command> {
  readonly #lanes = new Map<string, Lane<Command>>()
  readonly #work: (lane: Lane<Command>) => Promise<void>

  /** @param work takes commands off the queue, at least one, and settles them; it never rejects */
  constructor(work: (lane: Lane<Command>) => Promise<void>) {
    this.#work = work
  }

  /** Whoever adds the first command of a lane works through it, and it is forgotten when it is empty. */
  add(resourceId: string, command: Command): void {
    const lane = this.#lanes.get(resourceId)
    if (lane !== undefined) lane.queue.push(command)
    else void this.#run(resourceId, { queue: [command], head: null, readMs: 0 })
  }

  async #run(resourceId: string, lane: Lane<Command>): Promise<void> {
    this.#lanes.set(resourceId, lane)
    while (lane.queue.length > 0) await this.#work(lane)
    this.#lanes.delete(resourceId)
  }
}
