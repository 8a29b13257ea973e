/**
 * Every error that a caller can act on. A class for each decision: a lasting `code` that programs may compare, the
 * facts as fields, the cause kept, and the remedy in the doc comment. Only `api/error-handler.ts` knows HTTP statuses.
 */

/** What every error of ours carries. The message is one sentence for a person and never holds a secret. */
export abstract class AppError extends Error {
  /** Lasting name of this kind of error, for programs. */
  abstract readonly code: string
  /** What was found and what was expected; safe to show to whoever made the request. */
  readonly facts: object = {}

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** One setting that was refused: its name as the operator wrote it, its value (masked if secret), what is allowed. */
export interface SettingProblem {
  readonly name: string
  readonly value: string
  readonly allowed: string
}

/** A setting has a value that is not allowed. Remedy: correct the named variable or flag and start again. */
export class SettingInvalid extends AppError {
  readonly code = 'SETTING_INVALID'
  override readonly facts: { readonly problems: readonly SettingProblem[] }

  /** @param problems at least one; the message has one sentence for each, a line each when there are several */
  constructor(problems: readonly SettingProblem[], options?: ErrorOptions) {
    super(problems.map(({ name, value, allowed }) => `${name} is ${value}, but ${allowed}.`).join('\n'), options)
    this.facts = { problems }
  }
}

/** Redis doesn't answer or refuses. Remedy: back off and try again; what was not answered may have been done. */
export class BusUnavailable extends AppError {
  readonly code = 'BUS_UNAVAILABLE'
  /** False when it is sure that nothing was. */
  readonly mayBeDone: boolean

  constructor(message: string, { mayBeDone = true, ...options }: ErrorOptions & { readonly mayBeDone?: boolean } = {}) {
    super(message, options)
    this.mayBeDone = mayBeDone
  }
}

/** Postgres doesn't answer or refuses. Remedy: back off and try again; what was not answered may have been done. */
export class StoreUnavailable extends AppError {
  readonly code = 'STORE_UNAVAILABLE'
}

/** More came than can be kept safe at this rate. Remedy: send the same again after `retryAfterMs`; nothing was taken. */
export class Overloaded extends AppError {
  readonly code = 'OVERLOADED'
  override readonly facts: { readonly retryAfterMs: number }

  constructor(message: string, facts: { readonly retryAfterMs: number }, options?: ErrorOptions) {
    super(message, options)
    this.facts = facts
  }
}

/** The request's body is larger than is read. Remedy: send smaller batches, or raise `MILLRACE_INGEST_MAX_BODY_BYTES`. */
export class BodyTooLarge extends AppError {
  readonly code = 'BODY_TOO_LARGE'
  override readonly facts: { readonly maxBytes: number }

  constructor(facts: { readonly maxBytes: number }, options?: ErrorOptions) {
    super(`The body is larger than the ${facts.maxBytes} bytes taken at once: send it in smaller batches.`, options)
    this.facts = facts
  }
}

/** One event of a batch that was refused: its index in the batch, its id where it had one, and what is wrong. */
export interface EventProblem {
  readonly index: number
  readonly id: string | null
  readonly problems: readonly string[]
}

/** Events of a batch are malformed, so none was taken. Remedy: correct the listed ones, or send with `?partial=true`. */
export class BatchInvalid extends AppError {
  readonly code = 'BATCH_INVALID'
  override readonly facts: { readonly events: readonly EventProblem[] }

  constructor(message: string, facts: { readonly events: readonly EventProblem[] }, options?: ErrorOptions) {
    super(message, options)
    this.facts = facts
  }
}

/** What was asked for doesn't exist, or no longer. Remedy: check the id. */
export class NotFound extends AppError {
  readonly code = 'NOT_FOUND'
}

/** What a command asks for can't be an event, such as a name with control characters. Remedy: correct what is named. */
export class CommandInvalid extends AppError {
  readonly code = 'COMMAND_INVALID'
}

/** A request is well-formed and asks for what isn't given. Remedy: what its sentence says, in the words of Prefect's server. */
export class RequestRefused extends AppError {
  readonly code = 'REQUEST_REFUSED'
}

/** What is to be made is there already, or what it refers to isn't. Remedy: choose another name, or make that first. */
export class Conflict extends AppError {
  readonly code = 'CONFLICT'
}

/** A change that the thing's state doesn't allow. Remedy: what its sentence says. */
export class StateUnfit extends AppError {
  readonly code = 'STATE_UNFIT'
}

/** A client speaks a version of Prefect's API that is not served. Remedy: use a Prefect client of version 3. */
export class ApiVersionUnfit extends AppError {
  readonly code = 'API_VERSION_UNFIT'
}

/** What is to be changed is not for clients to change. Remedy: leave it. */
export class Forbidden extends AppError {
  readonly code = 'FORBIDDEN'
}

/** All slots of a concurrency limit are taken. Remedy: ask again after `retryAfterMs`. */
export class SlotsTaken extends AppError {
  readonly code = 'SLOTS_TAKEN'
  override readonly facts: { readonly retryAfterMs: number }

  constructor(facts: { readonly retryAfterMs: number }, options?: ErrorOptions) {
    super('Locked', options)
    this.facts = facts
  }
}

/** A lease on slots ended, or never was. Remedy: take slots anew, or stop what they were for. */
export class LeaseGone extends AppError {
  readonly code = 'LEASE_GONE'

  constructor(options?: ErrorOptions) {
    super('Lease not found - it may have expired or been revoked', options)
  }
}

/** The credentials are missing or wrong. Remedy: send the server's auth string (`MILLRACE_SERVER_AUTH_STRING`). */
export class Unauthorised extends AppError {
  readonly code = 'UNAUTHORISED'
}

/** A newer release has migrated this database. Remedy: run that release; its notes say whether both can run. */
export class SchemaTooNew extends AppError {
  readonly code = 'SCHEMA_TOO_NEW'
  override readonly facts: { readonly found: string; readonly newestKnown: string | null }

  constructor(facts: { readonly found: string; readonly newestKnown: string | null }, options?: ErrorOptions) {
    const known = facts.newestKnown ?? 'none'
    super(
      `The database is at migration ${facts.found}, newer than this release knows (${known}): run the newer release.`,
      options,
    )
    this.facts = facts
  }
}

/**
 * The number of partitions differs from the one these streams began with. It is fixed at the first start, since another
 * number sends a resource's events to another stream and breaks their order. Remedy: set the number that is stored.
 */
export class PartitionCountMismatch extends AppError {
  readonly code = 'PARTITION_COUNT_MISMATCH'
  override readonly facts: { readonly stored: number; readonly configured: number }

  constructor(facts: { readonly stored: number; readonly configured: number }, options?: ErrorOptions) {
    super(
      `MILLRACE_STREAMS_PARTITIONS is ${facts.configured}, but these streams began with ${facts.stored}: ` +
        `set it to ${facts.stored}, or use another MILLRACE_REDIS_PREFIX.`,
      options,
    )
    this.facts = facts
  }
}

/** Redis and Postgres know one epoch of the partitions with two numbers. Remedy: give this installation its own of both. */
export class LayoutContradicted extends AppError {
  readonly code = 'LAYOUT_CONTRADICTED'
  override readonly facts: { readonly redis: number; readonly postgres: number; readonly epoch: number }

  constructor(
    facts: { readonly redis: number; readonly postgres: number; readonly epoch: number },
    options?: ErrorOptions,
  ) {
    super(
      `Redis has ${facts.redis} partitions and Postgres remembers ${facts.postgres}, so the two are not of one installation: ` +
        'correct MILLRACE_REDIS_URL, MILLRACE_DATABASE_URL or MILLRACE_REDIS_PREFIX.',
      options,
    )
    this.facts = facts
  }
}

/** Redis may evict streams when memory is short. Remedy: `maxmemory-policy noeviction`, or allow it knowingly. */
export class EvictionPolicyUnsafe extends AppError {
  readonly code = 'EVICTION_POLICY_UNSAFE'
  override readonly facts: { readonly policy: string }

  constructor(facts: { readonly policy: string }, options?: ErrorOptions) {
    super(
      `Redis has maxmemory-policy ${facts.policy} and may throw events away when memory is short: ` +
        'set maxmemory-policy noeviction, or start with MILLRACE_REDIS_ALLOW_EVICTION=true to accept that loss.',
      options,
    )
    this.facts = facts
  }
}

/** MILLRACE_STREAMS_WAIT_FSYNC asks for what this Redis can't do. Remedy: give it what is needed, or unset the variable. */
export class DurabilityUnsupported extends AppError {
  readonly code = 'DURABILITY_UNSUPPORTED'
  override readonly facts: { readonly found: string; readonly needed: string }

  constructor(facts: { readonly found: string; readonly needed: string }, options?: ErrorOptions) {
    super(
      `MILLRACE_STREAMS_WAIT_FSYNC needs ${facts.needed}, but ${facts.found}: change that, or unset the variable.`,
      options,
    )
    this.facts = facts
  }
}

/** The database lacks tables of this release, and bringing it up to date at the start is switched off. Remedy: see its sentence. */
export class SchemaOutdated extends AppError {
  readonly code = 'SCHEMA_OUTDATED'
  override readonly facts: { readonly pending: readonly string[]; readonly embedded: boolean }

  /** @param facts.embedded Postgres runs with the server alone, so no command reaches it but the start */
  constructor(facts: { readonly pending: readonly string[]; readonly embedded: boolean }, options?: ErrorOptions) {
    const remedy = facts.embedded
      ? 'start with MILLRACE_DATABASE_MIGRATE_ON_START=true, as only a start upgrades an embedded Postgres'
      : "run 'millrace database upgrade' and start again"
    super(`The database lacks ${facts.pending.join(', ')}: ${remedy}.`, options)
    this.facts = facts
  }
}

/** A migration that the database has was made with other contents than this release's. Remedy: see its sentence. */
export class SchemaChanged extends AppError {
  readonly code = 'SCHEMA_CHANGED'
  override readonly facts: { readonly changed: readonly string[] }

  constructor(facts: { readonly changed: readonly string[] }, options?: ErrorOptions) {
    super(
      `The database has ${facts.changed.join(', ')} with other contents than this release: run the release that applied ` +
        `it; or, if you know that both do the same, 'millrace database stamp ${facts.changed.join(' ')}'.`,
      options,
    )
    this.facts = facts
  }
}

/** A migration could not be applied. Remedy: what its sentence says; run it again, which goes on where this one stopped. */
export class UpgradeFailed extends AppError {
  readonly code = 'UPGRADE_FAILED'

  constructor(reason: string, options?: ErrorOptions) {
    super(`The upgrade stopped: ${reason}.`, options)
  }
}

/** Nothing can be served where the settings say. Remedy: free the address, or set another host or port. */
export class ListenFailed extends AppError {
  readonly code = 'LISTEN_FAILED'

  /** @param setting what the names of the two settings begin with */
  constructor(reason: string, setting: string, options?: ErrorOptions) {
    super(`Nothing can be served there (${reason}): free it, or set ${setting}_PORT or ${setting}_HOST.`, options)
  }
}

/** Services on their own need servers that an API uses too. Remedy: name both. */
export class ServersUnset extends AppError {
  readonly code = 'SERVERS_UNSET'

  constructor(options?: ErrorOptions) {
    super(
      'Services alone need the servers of the API they work for: set MILLRACE_REDIS_URL and MILLRACE_DATABASE_URL, ' +
        "or run 'millrace server start', which brings its own.",
      options,
    )
  }
}

/** A process still works for a consumer group that is to be forgotten. Remedy: stop it, or switch its service off. */
export class GroupInUse extends AppError {
  readonly code = 'GROUP_IN_USE'
  override readonly facts: { readonly group: string; readonly owners: readonly string[] }

  constructor(facts: { readonly group: string; readonly owners: readonly string[] }, options?: ErrorOptions) {
    super(
      `${facts.owners.join(', ')} works for the group '${facts.group}': stop it first; nothing was forgotten.`,
      options,
    )
    this.facts = facts
  }
}

/** A consumer group that this release needs is to be forgotten. Remedy: don't, or force it and lose what it has not applied. */
export class GroupNeeded extends AppError {
  readonly code = 'GROUP_NEEDED'
  override readonly facts: { readonly group: string }

  constructor(facts: { readonly group: string }, options?: ErrorOptions) {
    super(
      `This release needs the group '${facts.group}', and events that it has not applied would be trimmed unread: ` +
        'force it only if they may be lost.',
      options,
    )
    this.facts = facts
  }
}

/** Events are to be replayed to a group that would count them twice. Remedy: rebuild the tables of projections instead. */
export class GroupNotIdempotent extends AppError {
  readonly code = 'GROUP_NOT_IDEMPOTENT'
  override readonly facts: { readonly group: string }

  constructor(facts: { readonly group: string }, options?: ErrorOptions) {
    super(
      `The group '${facts.group}' is not idempotent, so what it has applied would count twice: ` +
        '`millrace projections rebuild` makes the tables of projections anew from the log.',
      options,
    )
    this.facts = facts
  }
}

/** The number of partitions was not changed. Remedy: let the groups catch up, or wait for the other change, and try again. */
export class RepartitionFailed extends AppError {
  readonly code = 'REPARTITION_FAILED'

  constructor(reason: string, options?: ErrorOptions) {
    super(`The number of partitions was not changed: ${reason}.`, options)
  }
}

/** The archive can't be reached or refuses. Remedy: what its sentence says; nothing was dropped that is not in it. */
export class ArchiveUnavailable extends AppError {
  readonly code = 'ARCHIVE_UNAVAILABLE'

  constructor(reason: string, options?: ErrorOptions) {
    super(`The archive (MILLRACE_ARCHIVE_URL) doesn't work: ${reason}.`, options)
  }
}

/** The archive has something else than it should. Remedy: bring the object back from a copy, or do without that day. */
export class ArchiveDamaged extends AppError {
  readonly code = 'ARCHIVE_DAMAGED'

  constructor(what: string, options?: ErrorOptions) {
    super(`The archive is damaged: ${what}.`, options)
  }
}

/** Nothing is archived here. Remedy: set `MILLRACE_ARCHIVE_URL` for the server. */
export class ArchiveUnset extends AppError {
  readonly code = 'ARCHIVE_UNSET'

  constructor(options?: ErrorOptions) {
    super('There is no archive: set MILLRACE_ARCHIVE_URL where the server runs.', options)
  }
}

/** Another process removes what is due at this moment. Remedy: ask again later. */
export class RetentionBusy extends AppError {
  readonly code = 'RETENTION_BUSY'

  constructor(options?: ErrorOptions) {
    super(
      'Another process removes what is due at this moment: ask again later. `millrace retention plan` says what is left.',
      options,
    )
  }
}

/** A schedule can't be read or never fires. Remedy: correct what the sentence names; `millrace schedules simulate` tries it. */
export class ScheduleInvalid extends AppError {
  readonly code = 'SCHEDULE_INVALID'
}

/** A service of the program around can't be. Remedy: correct what the sentence names. */
export class ServiceInvalid extends AppError {
  readonly code = 'SERVICE_INVALID'
}

/** Somebody else runs this tick by now: it took longer than its lease without a sign of life. Remedy: none; stop working on it. */
export class LeaseLost extends AppError {
  readonly code = 'LEASE_LOST'
  override readonly facts: { readonly job: string; readonly scheduledForMs: number }

  constructor(facts: { readonly job: string; readonly scheduledForMs: number }, options?: ErrorOptions) {
    const at = new Date(facts.scheduledForMs).toISOString()
    super(`Another process has taken over ${facts.job}@${at}: what this one did for it since is not kept.`, options)
    this.facts = facts
  }
}

/** Another process works on a rebuild of this projection. Remedy: wait for it, or end it with `--cancel`. */
export class RebuildBusy extends AppError {
  readonly code = 'REBUILD_BUSY'
  override readonly facts: { readonly projection: string; readonly owner: string }

  constructor(facts: { readonly projection: string; readonly owner: string }, options?: ErrorOptions) {
    super(
      `${facts.owner} rebuilds ${facts.projection}: wait until it is done, or end that with ` +
        `'millrace projections rebuild ${facts.projection} --cancel'.`,
      options,
    )
    this.facts = facts
  }
}

/** A projection can't be rebuilt, or rolled back, as asked. Remedy: what its sentence says; its table is as it was. */
export class RebuildRefused extends AppError {
  readonly code = 'REBUILD_REFUSED'
}

/** Another process has taken a rebuild over, or somebody cancelled it. Remedy: none; stop working on it. */
export class RebuildLost extends AppError {
  readonly code = 'REBUILD_LOST'

  constructor(options?: ErrorOptions) {
    super('The rebuild was cancelled, or another process has taken it over: see `millrace projections ls`.', options)
  }
}
