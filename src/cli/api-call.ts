/** One request to Millrace's own part of the API, whose answer is JSON. */
import type { ApiAddress } from './api-address.ts'
import { CommandFailed } from './failure.ts'

/** A request; the path is below `/api/millrace`. What is undefined in the query is left out. */
export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: object
}

/** Longest wait for an answer: a replay of many letters takes a while. */
const ANSWER_MS = 120_000

const UNANSWERED = 'no answer came in time: it may have been done, and asking again does no harm.'

/** The answer's JSON. @throws CommandFailed with the sentence that the server gives */
export async function callApi<T>(api: ApiAddress, call: ApiCall, stop: AbortSignal): Promise<T> {
  const response = await fetch(addressOf(api, call), {
    method: call.method,
    headers: { ...(call.body && { 'content-type': 'application/json' }), ...loginOf(api) },
    ...(call.body && { body: JSON.stringify(call.body) }),
    signal: AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS)]),
  }).catch((cause: unknown) => {
    throw explain(api, cause, stop)
  })
  const text = await response.text()
  const answer = parse(text)
  if (response.ok && answer !== undefined) return answer as T
  throw refused(api, response.status, text)
}

/** Where a call goes. */
export function addressOf({ url }: ApiAddress, { path, query }: ApiCall): URL {
  const address = new URL(`${url}/millrace${path}`)
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) address.searchParams.set(name, String(value))
  }
  return address
}

/** The header with the credentials, if any are known. */
export function loginOf({ authString }: ApiAddress): Record<string, string> {
  return authString === null ? {} : { authorization: `Basic ${Buffer.from(authString).toString('base64')}` }
}

/** Why there was no answer. */
export function explain({ url }: ApiAddress, cause: unknown, stop: AbortSignal): CommandFailed {
  const late = stop.aborted || (cause instanceof DOMException && cause.name === 'TimeoutError')
  const nobody = `nothing answers at ${url}: start a server with \`millrace server start\`, or give --url.`
  return new CommandFailed(late ? UNANSWERED : nobody, { cause })
}

/** What an answer that is none says. */
export function refused({ url }: ApiAddress, status: number, text: string): CommandFailed {
  if (status === 401) return new CommandFailed(`${url} asks for credentials: set MILLRACE_API_AUTH_STRING.`)
  return new CommandFailed(sentenceOf(parse(text)) ?? `${url} answered ${status}: ${text.slice(0, 1_000)}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What the server says is wrong; null when it does not speak as ours does. */
function sentenceOf(answer: unknown): string | null {
  const { detail, exception_detail: problems } = (answer ?? {}) as {
    detail?: unknown
    exception_detail?: readonly { loc: readonly unknown[]; msg: string }[]
  }
  if (typeof detail === 'string') return detail
  if (!Array.isArray(problems)) return null
  return problems.map(({ loc, msg }) => `${loc.slice(1).join('.')}: ${msg}`.replace(/^: /, '')).join('; ')
}
