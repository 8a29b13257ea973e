import { ListenFailed } from '../errors.ts'

/** Where to listen, and the setting that its host and port are of: `MILLRACE_SERVER` or `MILLRACE_METRICS`. */
export interface Listening {
  readonly host: string
  readonly port: number
  readonly setting: string
}

/** Has a server listen. Returns its URL. @throws ListenFailed */
export async function listenAt(
  server: { listen(at: { host: string; port: number }): Promise<string> },
  { host, port, setting }: Listening,
): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (cause) {
    throw new ListenFailed((cause as Error).message, setting, { cause })
  }
}
