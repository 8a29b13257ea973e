/** One request whose answer is a line of JSON for each step of something that takes long. */
import type { ApiAddress } from './api-address.ts'
import { type ApiCall, addressOf, explain, loginOf, refused } from './api-call.ts'
import { CommandFailed } from './failure.ts'

/** The last line says how it ended. */
type Line<Step, Result> =
  | Step
  | ({ readonly step: 'done' } & Result)
  | { readonly step: 'failed'; readonly detail: string }

/** Calls `onStep` for each step and returns what the last line says. @throws CommandFailed with the server's sentence */
export async function followApi<Step extends { readonly step: string }, Result extends object>(
  api: ApiAddress,
  call: ApiCall,
  stop: AbortSignal,
  onStep: (step: Step) => void,
): Promise<Result> {
  const response = await fetch(addressOf(api, call), {
    method: call.method,
    headers: { 'content-type': 'application/json', ...loginOf(api) },
    body: JSON.stringify(call.body ?? {}),
    signal: stop,
  }).catch((cause: unknown) => {
    throw explain(api, cause, stop)
  })
  if (!response.ok || response.body === null) throw refused(api, response.status, await response.text())
  let rest = ''
  try {
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines.filter((each) => each !== '')) {
        const said = JSON.parse(line) as Line<Step, Result>
        if (said.step === 'failed') throw new CommandFailed((said as { detail: string }).detail)
        if (said.step !== 'done') onStep(said as Step)
        else {
          const { step: _, ...result } = said as { step: 'done' } & Result
          return result as unknown as Result
        }
      }
    }
  } catch (cause) {
    if (cause instanceof CommandFailed) throw cause
    if (stop.aborted) throw new CommandFailed('stopped; what was begun is finished by the next run.', { cause })
  }
  throw new CommandFailed('the server went away in the middle; ask again, which does no harm.')
}
