import { createHash, timingSafeEqual } from 'node:crypto'
import { Unauthorised } from '../errors.ts'
import type { Api } from './route.ts'

/**
 * Tells whether what a client presents is the server's auth string. Takes the same time whatever is presented: both
 * sides are hashed first, so that not even the length shows. Always true when the server has none.
 */
export function isAuthorised(authString: string | null, presented: string | null): boolean {
  if (authString === null) return true
  return presented !== null && timingSafeEqual(digest(authString), digest(presented))
}

/** Asks every request for the auth string, as `Authorization: Basic`, except where the route is `open`. */
export function requireAuth(app: Api, authString: string | null): void {
  if (authString === null) return
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (routeOptions.config.open === true) return
    if (!isAuthorised(authString, basicCredentials(headers.authorization))) {
      throw new Unauthorised('The credentials are missing or wrong.')
    }
  })
}

/** What is inside an `Authorization: Basic …` header, null when it is none. */
function basicCredentials(header: string | undefined): string | null {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '') ?? []
  return encoded === undefined ? null : Buffer.from(encoded, 'base64').toString()
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
