/** What can stop the embedded servers from starting. Each message is one sentence that says what to do. */
import { AppError } from '#src/errors.ts'

/** Another process runs on this home. Remedy: stop that process, or use another home. */
export class HomeInUse extends AppError {
  readonly code = 'HOME_IN_USE'
  override readonly facts: { readonly home: string; readonly pid: number }

  constructor(facts: { readonly home: string; readonly pid: number }, options?: ErrorOptions) {
    super(
      `${facts.home} is in use by process ${facts.pid}: stop that one, or set MILLRACE_HOME to another folder.`,
      options,
    )
    this.facts = facts
  }
}

/** The folder for the data can't be written. Remedy: make it writable, or use another home. */
export class HomeUnusable extends AppError {
  readonly code = 'HOME_UNUSABLE'
}

/** A server's program isn't on this machine and couldn't be fetched. Remedy: run the command in the message. */
export class ServerMissing extends AppError {
  readonly code = 'SERVER_MISSING'
}

/** The server found on this machine is older than the oldest that works. Remedy: install a newer one. */
export class ServerTooOld extends AppError {
  readonly code = 'SERVER_TOO_OLD'
  override readonly facts: { readonly command: string; readonly found: string; readonly oldest: string }

  constructor(
    facts: { readonly command: string; readonly found: string; readonly oldest: string },
    options?: ErrorOptions,
  ) {
    super(
      `${facts.command} is version ${facts.found}, but ${facts.oldest} or newer is needed: install a newer one, ` +
        'or set MILLRACE_REDIS_URL to a server that is new enough.',
      options,
    )
    this.facts = facts
  }
}

/** The data was written by another major version of Postgres. Remedy: the release that wrote it, or another home. */
export class DataVersionMismatch extends AppError {
  readonly code = 'DATA_VERSION_MISMATCH'
  override readonly facts: { readonly folder: string; readonly found: string; readonly expected: string }

  constructor(
    facts: { readonly folder: string; readonly found: string; readonly expected: string },
    options?: ErrorOptions,
  ) {
    super(
      `${facts.folder} holds data of Postgres ${facts.found}, but this release brings Postgres ${facts.expected}: ` +
        'start the release that wrote it and dump the data, or set MILLRACE_HOME to another folder.',
      options,
    )
    this.facts = facts
  }
}

/** What passes by itself: `port`, somebody else listens there; `predecessor`, the last one's helpers are still ending. */
export type Obstacle = 'port' | 'predecessor' | null

/** A server ended, or stayed silent, while it was being started. Remedy: read the end of its log, named in the message. */
export class ServerStartFailed extends AppError {
  readonly code = 'SERVER_START_FAILED'
  override readonly facts: { readonly server: string; readonly logFile: string; readonly obstacle: Obstacle }

  constructor(
    message: string,
    facts: { readonly server: string; readonly logFile: string; readonly obstacle: Obstacle },
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.facts = facts
  }
}
