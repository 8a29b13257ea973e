import { v5 } from 'uuid'

/** Never change it: what was made by a name before would be made again. */
const NAMESPACE = '6f2c1f0e-2f0d-5d6b-9a51-6d696c6c7261'

/**
 * The id of what there may be only one of, made of what makes it so: a flow of its name, a run of its flow and idempotency
 * key. Two that create the same thing at once then write to one aggregate, and the expected version lets one of them win.
 */
export function derivedId(kind: string, ...parts: readonly string[]): string {
  return v5(JSON.stringify([kind, ...parts]), NAMESPACE)
}
