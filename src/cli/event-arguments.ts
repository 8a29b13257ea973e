/** Reads what is written after `events emit`: resources, related ones, the payload. */
import { readFileSync } from 'node:fs'
import { UsageInvalid } from './failure.ts'

/** Labels of a resource. */
export type Labels = Record<string, string>

/** Shorter names for the labels that every resource has. */
const SHORT: Readonly<Record<string, string>> = {
  id: 'prefect.resource.id',
  role: 'prefect.resource.role',
  name: 'prefect.resource.name',
}

/** Reads `--resource key=value` (several times, or a JSON object) and `--resource-id`. @throws UsageInvalid without an id */
export function readResource(id: string | undefined, pairs: readonly string[]): Labels {
  const labels: Labels = Object.assign({}, ...pairs.map((pair) => readLabels('--resource', pair)))
  if (id !== undefined) labels['prefect.resource.id'] = id
  if (!labels['prefect.resource.id']) throw new UsageInvalid('an event is about a resource: give --resource-id.')
  return labels
}

/** Reads one `--related id=…,role=…[,key=value]`, or a JSON object. */
export function readRelated(text: string): Labels {
  const labels = readLabels('--related', text)
  if (labels['prefect.resource.id'] && labels['prefect.resource.role']) return labels
  throw new UsageInvalid(
    `--related is ${JSON.stringify(text)}, but it must have an id and a role: id=pool.1,role=work-pool.`,
  )
}

function readLabels(flag: string, text: string): Labels {
  if (text.trimStart().startsWith('{')) {
    return Object.fromEntries(
      Object.entries(readObject(flag, text)).map(([key, value]) => [SHORT[key] ?? key, String(value)]),
    )
  }
  return Object.fromEntries(
    text.split(/,(?=[^,=]+=)/).map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageInvalid(`${flag} is ${JSON.stringify(text)}, but it must be key=value.`)
      const key = pair.slice(0, at).trim()
      return [SHORT[key] ?? key, pair.slice(at + 1)]
    }),
  )
}

/** Reads a JSON object, or the file that is named after `@`. */
export function readObject(flag: string, text: string): Record<string, unknown> {
  const json = text.startsWith('@') ? readNamed(flag, text.slice(1)) : text
  try {
    const value: unknown = JSON.parse(json)
    if (value instanceof Object && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (cause) {
    throw new UsageInvalid(`${flag} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  }
  throw new UsageInvalid(`${flag} must be a JSON object, such as {"total":12}.`)
}

function readNamed(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageInvalid(`${flag} names a file that can't be read: ${(cause as Error).message}.`, { cause })
  }
}
