/** Hundreds of real payloads: those of the webhooks that GitHub sends, from its API and from five of its server's releases. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** One payload; `n` numbers them all. */
export interface Webhook {
  readonly n: number
  readonly name: string
  readonly payload: Readonly<Record<string, unknown>>
}

const require = createRequire(import.meta.url)
const SOURCES = ['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35']

/** All of them, in an order that never changes. */
export const webhooks: readonly Webhook[] = SOURCES.flatMap((source) => {
  const path = require.resolve(`@octokit/webhooks-examples/${source}/index.json`)
  const definitions: { name: string; examples: Record<string, unknown>[] }[] = JSON.parse(readFileSync(path, 'utf8'))
  return definitions.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })))
}).map((webhook, n) => ({ n, ...webhook }))
