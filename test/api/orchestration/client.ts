/** A server of its own and requests to it, as Prefect's client sends them. */
import assert from 'node:assert/strict'
import { runningServer } from '#test/corpus/running-server.ts'
import type { TestScope } from '#test/world.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers as they come
export type Answer = any

export interface ApiClient {
  readonly url: string
  /** Rejects when the status isn't the one that is expected. */
  call(status: number, method: string, path: string, body?: unknown): Promise<Answer>
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** @param paths begin after `/api` */
export async function apiClient(t: TestScope, env: Readonly<Record<string, string>> = {}): Promise<ApiClient> {
  const url = await runningServer(t, env)
  return {
    url,
    async call(status, method, path, body) {
      const response = await fetch(`${url}/api${path}`, {
        method,
        headers: { ...(body !== undefined && JSON_TYPE), 'x-prefect-api-version': '0.8.4' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      assert.equal(response.status, status, `${method} ${path}: ${text}`)
      return text === '' ? null : JSON.parse(text)
    },
  }
}
