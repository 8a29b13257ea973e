import type { IncomingHttpHeaders } from 'node:http'

/** Whether a request becomes a socket, as Node decides whom it gives to the sockets. */
export function isUpgrade({ connection = '', upgrade }: IncomingHttpHeaders): boolean {
  return upgrade !== undefined && /\bupgrade\b/i.test(connection)
}
