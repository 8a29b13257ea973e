/** Fields as Prefect's clients send them: what may be left out, ids, instants, names, pages. */
import { type TSchema, Type } from '@sinclair/typebox'
import { readUuid } from '#src/events/check.ts'
import { indexedText, instant, int4, nameText, Uuid, When } from '#src/events/formats.ts'
import { RequestRefused } from '../../errors.ts'

export { instant, Uuid, When }

/** What may be left out, or be null, which is the same. */
export function maybe<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]))
}

export function uuid(text: string): string {
  return readUuid(text) ?? text
}

/** A name without the characters that Prefect bans for the sake of its URLs. */
export const Name = nameText({ pattern: '^[^/%&><]+$' })
export const Tags = Type.Array(indexedText())
export const Labels = Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.Number(), Type.String()]))
export const Params = Type.Object({ id: Type.String() })
export const Nothing = Type.Null()

const MAX_LIMIT = 200

/** Members of a body that asks for a part of a list. */
export const Paging = { limit: maybe(Type.Integer()), offset: maybe(int4(0)) }
/** Members of a body that asks for a page with its number. */
export const Paginating = { limit: maybe(Type.Integer()), page: maybe(int4(1)) }

/** @throws RequestRefused in the words of Prefect's server */
export function limitOf({ limit }: { readonly limit?: number | null | undefined }): number {
  const asked = limit ?? MAX_LIMIT
  if (asked < 0) throw new RequestRefused('Invalid limit: must be greater than or equal to 0.')
  if (asked > MAX_LIMIT) throw new RequestRefused(`Invalid limit: must be less than or equal to ${MAX_LIMIT}.`)
  return asked
}

/** An answer of Prefect's `/paginate` routes. */
export function Paginated<T extends TSchema>(result: T) {
  return Type.Object({
    results: Type.Array(result),
    count: Type.Integer(),
    limit: Type.Integer(),
    pages: Type.Integer(),
    page: Type.Integer(),
  })
}

/** One page, and how many there are. */
export async function paginate<T>(
  body: { readonly limit?: number | null; readonly page?: number | null },
  read: (limit: number, offset: number) => Promise<T[]>,
  total: () => Promise<number>,
) {
  const limit = limitOf(body)
  const page = body.page ?? 1
  const [results, count] = await Promise.all([read(limit, (page - 1) * limit), total()])
  return { results, count, limit, pages: limit > 0 ? Math.ceil(count / limit) : 0, page }
}
