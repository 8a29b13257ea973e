import { StatementTimeoutError } from 'slonik'
import { StoreUnavailable } from '#src/errors.ts'

/** What a read gives, or null when a statement of it took longer than it may: then another way is tried. */
export async function unlessTooSlow<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read
  } catch (error) {
    if (error instanceof StoreUnavailable && error.cause instanceof StatementTimeoutError) return null
    throw error
  }
}
