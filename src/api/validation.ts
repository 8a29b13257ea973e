/** Checks what a request brings against its TypeBox schema. */
import { FormatRegistry, type TSchema, TypeGuard } from '@sinclair/typebox'
import { TypeCompiler, ValueErrorType } from '@sinclair/typebox/compiler'
import { Value, type ValueError } from '@sinclair/typebox/value'
import type { FastifySchemaCompiler } from 'fastify'
import { parseInstantOrDate } from '#src/events/instant.ts'
import { AppError } from '../errors.ts'

/** One thing that is wrong with a request, in the shape that Prefect's server (pydantic) gives it. */
export interface RequestProblem {
  readonly type: string
  /** Where: `['body', 'filter', 'limit']`. */
  readonly loc: readonly (string | number)[]
  readonly msg: string
  readonly input: unknown
}

/** The request has a part that its schema does not allow. Remedy: correct what `problems` names. */
export class RequestInvalid extends AppError {
  readonly code = 'REQUEST_INVALID'
  override readonly facts: { readonly problems: readonly RequestProblem[] }

  constructor(problems: readonly RequestProblem[], options?: ErrorOptions) {
    super(problems.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('; '), options)
    this.facts = { problems }
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const DATE = /^\d{4}-\d\d-\d\d$/
if (!FormatRegistry.Has('date'))
  FormatRegistry.Set('date', (text) => DATE.test(text) && parseInstantOrDate(text) !== null)
if (!FormatRegistry.Has('uuid')) FormatRegistry.Set('uuid', (text) => UUID.test(text))

/** A wrong union names every member's complaint; whoever reads them is done after a few. */
const MAX_PROBLEMS = 20

/**
 * Compiles a schema for Fastify. Text of a query or path becomes the number or boolean that its schema asks for; a body
 * is taken as it is: there, `"5"` is no number. Defaults are filled in.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const check = TypeCompiler.Compile(schema)
  const part = httpPart === 'querystring' ? 'query' : httpPart === 'params' ? 'path' : httpPart
  return (data: unknown) => {
    // A list in place of an object has members that are its own, such as `sort`, and they can't be filled in.
    const filled = Array.isArray(data) && TypeGuard.IsObject(schema) ? data : Value.Default(schema, data)
    const value = httpPart === 'body' ? filled : Value.Convert(schema, filled)
    if (check.Check(value)) return { value }
    const problems: RequestProblem[] = []
    for (const error of check.Errors(value)) {
      if (problems.push(problemOf(part, error)) === MAX_PROBLEMS) break
    }
    return { error: new RequestInvalid(problems) }
  }
}

function problemOf(part: string, { type, path, message, value }: ValueError): RequestProblem {
  const steps = path.split('/').slice(1).map(stepOf)
  const missing = type === ValueErrorType.ObjectRequiredProperty
  return {
    type: missing ? 'missing' : 'invalid',
    loc: [part, ...steps],
    msg: missing ? 'Field required' : message,
    input: value ?? null,
  }
}

/** Undoes JSON pointer's escapes. */
function stepOf(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')
}
