/** Services of the program that Millrace runs in. Nothing here speaks of pg: who installs the library need not have its types. */
import { Value } from '@sinclair/typebox/value'
import { ScheduleInvalid, ServiceInvalid } from '#src/errors.ts'
import { compileSchedule, JobPolicy, type ScheduleSpec } from '#src/scheduler/index.ts'

/** What a run did, in numbers; the ledger keeps them. */
export type ServiceCounts = Readonly<Record<string, number>>

/** A connection to Millrace's Postgres, within a transaction. */
export interface ServiceClient {
  /** @param text SQL, with `$1` and so on in place of values */
  query<Row = Readonly<Record<string, unknown>>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[]; readonly rowCount: number | null }>
}

/** One tick in the hands of the run that was begun for it. */
export interface ServiceTick {
  /** `shop.digest@2026-11-24T06:00:00.000Z`: the same in every attempt, a key for whatever must not be done twice. */
  readonly id: string
  /** When it was due, in milliseconds since 1970. */
  readonly scheduledForMs: number
  /** Counted from 1. */
  readonly attempt: number
  /** Aborted when the run takes too long, when another process has taken the tick over, and when this one stops. */
  readonly signal: AbortSignal
  /**
   * Runs statements in a transaction that holds the tick: another process can't have taken it before, nor take it meanwhile.
   * @throws AppError LEASE_LOST when one has: nothing is done then
   */
  transaction<T>(work: (client: ServiceClient) => Promise<T>): Promise<T>
  /**
   * Runs statements in the transaction that records the tick as done, so that they take effect exactly once. To be called
   * once, as the last thing of a run.
   * @throws AppError LEASE_LOST like `transaction`
   */
  commit(work: (client: ServiceClient) => Promise<ServiceCounts | undefined>): Promise<ServiceCounts>
}

export interface OwnServiceContext {
  readonly log: ServiceLog
}

type Say = (facts: object, sentence: string) => void

/** The log of the process; each line names the service. */
export interface ServiceLog {
  readonly debug: Say
  readonly info: Say
  readonly warn: Say
  readonly error: Say
}

export interface OwnService {
  /** Its lasting name: up to 100 of lower case letters, digits, `.`, `_` and `-`. */
  readonly name: string
  /** See docs/schedules.md. */
  readonly schedule: ScheduleSpec
  /** What differs from the defaults of docs/schedules.md. */
  readonly policy?: Partial<JobPolicy>
  /** When the service is new, its latest instant is due at once, rather than the next one being the first. */
  readonly startsAtOnce?: boolean
  /** One run: bounded work, harmless when done twice but for what it does in `tick.commit`. Returns what it did, if anything. */
  run(tick: ServiceTick, context: OwnServiceContext): Promise<ServiceCounts | undefined>
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/

/**
 * Defines a service for `createMillrace({ ownServices })`: of all processes that have it one runs each of its ticks.
 * @throws AppError SERVICE_INVALID or SCHEDULE_INVALID, a sentence that says what is wrong with it
 */
export function defineService<Service extends OwnService>(service: Service): Service {
  const { name, schedule, policy = {}, run } = service
  if (typeof name !== 'string' || !NAME.test(name))
    throw new ServiceInvalid(
      `${JSON.stringify(name)} is no name for a service: take up to 100 of lower case letters, digits, '.', '_' and '-'.`,
    )
  if (typeof run !== 'function') throw new ServiceInvalid(`The service '${name}' has no function 'run'.`)
  if (typeof schedule !== 'object' || schedule === null)
    throw new ScheduleInvalid(`The service '${name}' has no schedule, such as { cron: '0 6 * * *' }.`)
  compileSchedule(schedule)
  for (const [field, value] of Object.entries(policy)) {
    const schema = Object.hasOwn(JobPolicy.properties, field) ? JobPolicy.properties[field as keyof JobPolicy] : null
    if (schema === null) {
      const known = Object.keys(JobPolicy.properties).join(', ')
      throw new ServiceInvalid(`The policy of the service '${name}' has '${field}': there are ${known}.`)
    }
    if (!Value.Check(schema, value))
      throw new ServiceInvalid(`The policy of the service '${name}' has a wrong ${field}: ${JSON.stringify(value)}.`)
  }
  return service
}
