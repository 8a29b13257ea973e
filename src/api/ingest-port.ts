import type { Verdict } from '#src/events/event.ts'

/** How much more the server wants: take it, let the sender wait, or send the sender away. */
export type Pressure = 'open' | 'hold' | 'refuse'

/** What never became an event: the bytes as they came, perhaps cut short, and why. */
export interface Rejected {
  /** A UUID that it keeps when it is handed in again. */
  readonly id: string
  readonly body: Buffer
  readonly reason: string
}

/** The door through which the sockets hand events in. What it resolves is durable; what it throws may be sent again. */
export interface Ingest {
  /**
   * Takes one event per frame. The verdicts are in the order of the frames; events that are `invalid` or `expired` are
   * nowhere yet, so they have to be given to `reject`.
   * @throws Overloaded when nothing was taken
   * @throws BusUnavailable when some may have been taken; taking them again does no harm
   */
  takeFrames(frames: readonly Buffer[]): Promise<readonly Verdict[]>
  /**
   * Makes dead letters of what is no event; durable when it resolves.
   * @throws Overloaded when nothing was taken
   * @throws BusUnavailable when some may have been; handing the same in again does no harm
   */
  reject(bodies: readonly Rejected[]): Promise<void>
  /** As last looked at; costs nothing. */
  pressure(): Pressure
}
