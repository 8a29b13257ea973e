import { AppError } from '#src/errors.ts'

/** The filter holds something that can't be asked for. Remedy: correct what the message names. */
export class FilterInvalid extends AppError {
  readonly code = 'FILTER_INVALID'
}
