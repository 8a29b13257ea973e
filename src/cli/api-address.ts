/** Which API `millrace events` talks to, and with which credentials. */
import type { Settings } from '../config.ts'
import { UsageInvalid } from './failure.ts'

/** An API as a client sees it. */
export interface ApiAddress {
  /** With `/api` and without a last slash: `http://127.0.0.1:4200/api`. */
  readonly url: string
  /** `user:password`, or null when none is known. */
  readonly authString: string | null
}

/** The address from `--url` or `MILLRACE_API_URL`, where `/api` may be left out; else that of a server on this machine. */
export function apiAddress({ client, server }: Settings): ApiAddress {
  const authString = client.authString ?? server.authString
  if (client.apiUrl !== null) {
    return { url: client.apiUrl.endsWith('/api') ? client.apiUrl : `${client.apiUrl}/api`, authString }
  }
  if (server.port === 0) throw new UsageInvalid("the server's port is 0, which is none to call: give --url.")
  // A server that listens everywhere is reached here too.
  const host = ['0.0.0.0', '::'].includes(server.host) ? '127.0.0.1' : server.host
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${server.port}/api`, authString }
}
