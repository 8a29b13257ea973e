/** What a command has of the world: its environment, where it writes, and when it should stop. */
import type { Environment } from '../config.ts'

export interface Terminal {
  readonly env: Environment
  /** Writes to standard output, adding the end of the line; resolves when the reader has caught up. */
  print(line: string): Promise<void>
  /** Writes a line to standard error: notes for people that are no part of the result. */
  note(line: string): void
  /** Shows a line that the next one, or a note, takes the place of; left out where nobody watches. */
  readonly status?: (line: string) => void
  /** Aborted when the user or the system asks the process to stop. */
  readonly stop: AbortSignal
  /** Asks a question that is answered with yes or no; null when nobody is there to answer. */
  confirm(question: string): Promise<boolean | null>
}
