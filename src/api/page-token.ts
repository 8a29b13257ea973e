/**
 * The token of a next page: the whole question, signed, so that any API server answers it and nobody can forge one. It
 * never expires: it holds a place in the log, not a snapshot.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { AppError } from '../errors.ts'
import { EventFilter, FilterInvalid } from '../events/filter.ts'
import { fixSetting } from '../store/fixed-setting.ts'
import type { Store } from '../store/pool.ts'
import { storeError } from '../store/unavailable.ts'

/** The page token was not made by this installation, or was altered. Remedy: ask for the first page again. */
export class PageTokenInvalid extends AppError {
  readonly code = 'PAGE_TOKEN_INVALID'

  constructor(options?: ErrorOptions) {
    super('This page token was not made here, or not for this: ask for the first page again.', options)
  }
}

const PageToken = Type.Object({
  filter: EventFilter,
  limit: Type.Integer({ minimum: 1 }),
  after: Type.Object({ occurred: Type.String(), id: Type.String() }),
  total: Type.Integer({ minimum: 0 }),
})
/** Where a next page begins. `filter` has its range of time, `total` is what the first page said. */
export type PageToken = Static<typeof PageToken>

const SETTING = 'page token key'
const KEY_BYTES = 32
const MAC_BYTES = 32
/** Node takes 16 KiB of request line and headers, which proxies halve. */
const MAX_LENGTH = 6_000
/** What a token may unfold to: more was not made here. */
const MAX_JSON_BYTES = 1_000_000

const shape = TypeCompiler.Compile(PageToken)

/** The key that all API servers share: made by the first that asks, kept in Postgres. @throws StoreUnavailable */
export async function pageTokenKey(store: Store): Promise<Buffer> {
  const made = randomBytes(KEY_BYTES).toString('base64')
  try {
    return Buffer.from(await fixSetting(store.prompt, SETTING, made), 'base64')
  } catch (error) {
    throw storeError(error)
  }
}

/** Text that stands in a URL as it is. @throws FilterInvalid when the filter is too large for one */
export function signPageToken(token: PageToken, key: Buffer): string {
  const body = deflateRawSync(JSON.stringify(token))
  const text = Buffer.concat([macOf(body, key), body]).toString('base64url')
  if (text.length > MAX_LENGTH) {
    throw new FilterInvalid('This filter is too large for the address of a next page: ask for fewer values at once.')
  }
  return text
}

/** @throws PageTokenInvalid */
export function openPageToken(text: string, key: Buffer): PageToken {
  const bytes = Buffer.from(text, 'base64url')
  const [mac, body] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES)]
  if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, macOf(body, key))) throw new PageTokenInvalid()
  const token: unknown = JSON.parse(inflateRawSync(body, { maxOutputLength: MAX_JSON_BYTES }).toString())
  if (!shape.Check(token)) throw new PageTokenInvalid() // made by a release with another shape
  return token
}

function macOf(body: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest()
}
