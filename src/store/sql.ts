/** What modules of the store write their statements with. */
import type { Static, TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Interceptor, SchemaValidationError } from 'slonik'

export { type CommonQueryMethods, type FragmentSqlToken, sql } from 'slonik'

/** A TypeBox schema as slonik wants it: `sql.type(row(Schema))`. Compiled when the first row comes back. */
export function row<T extends TSchema>(schema: T): StandardSchemaV1<unknown, Static<T>> {
  let check: TypeCheck<T> | undefined
  return {
    '~standard': {
      version: 1,
      vendor: 'typebox',
      validate(value) {
        check ??= TypeCompiler.Compile(schema)
        if (check.Check(value)) return { value }
        return {
          issues: [...check.Errors(value)].map(({ path, message }) => ({ path: path.split('/').slice(1), message })),
        }
      },
    },
  }
}

/** Checks every row that comes back against the schema of its statement: by itself slonik checks nothing. */
export const checkRows: Interceptor = {
  name: 'check-rows',
  transformRow({ resultParser }, query, found) {
    if (resultParser === undefined) return found
    const result = resultParser['~standard'].validate(found)
    if (result instanceof Promise) throw new TypeError('a schema of rows must not be asynchronous')
    if (result.issues) throw new SchemaValidationError(query, found, result.issues)
    return result.value as typeof found
  },
}
