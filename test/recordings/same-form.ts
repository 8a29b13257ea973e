/** Compares answers with recorded ones where ids and times differ: each id stands for one of the recording, all along. */
import assert from 'node:assert/strict'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const UUIDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|\+00:00)$/
/** Names that the server makes for runs that come without one. */
const MADE_NAME = /^[a-z]+-[a-z]+$/
/** Members that hold one, of a run or of its events' resource. */
const NAMES = new Set(['name', 'prefect.resource.name'])
/** Members whose values differ each time. */
const OF_THE_MOMENT = new Set(['estimated_run_time', 'estimated_start_time_delta', 'total_run_time', 'delay_seconds'])

export class SameForm {
  readonly #ids = new Map<string, string>()

  /** A text of the recording with the ids that are known here. */
  translated(text: string): string {
    return text.replace(UUIDS, (id) => this.#ids.get(id) ?? id)
  }

  /** Compares field by field: the same names in the same order, and values of the same form; others are the same. */
  check(actual: unknown, recorded: unknown, at: string): void {
    if (typeof recorded === 'object' && recorded !== null) {
      assert.ok(typeof actual === 'object' && actual !== null, `${at} is ${JSON.stringify(actual)}`)
      assert.deepEqual(
        Object.keys(actual).map((key) => this.translated(key)),
        Object.keys(recorded).map((key) => this.translated(key)),
        at,
      )
      const members = Object.values(actual)
      for (const [i, [name, value]] of Object.entries(recorded).entries())
        this.#checkMember(name, members[i], value, `${at}.${name}`)
    } else if (typeof recorded === 'string' && UUID.test(recorded)) {
      assert.match(String(actual), UUID, at)
      const known = this.#ids.get(recorded)
      if (known === undefined) this.#ids.set(recorded, String(actual))
      else assert.equal(actual, known, at)
    } else if (typeof recorded === 'string' && INSTANT.test(recorded)) this.#checkInstant(String(actual), recorded, at)
    else if (typeof recorded === 'string') assert.equal(actual, this.translated(recorded), at)
    else assert.deepEqual(actual, recorded, at)
  }

  /** Both are instants that are written alike. */
  #checkInstant(actual: string, recorded: string, at: string): void {
    assert.deepEqual(
      [INSTANT.exec(actual)?.slice(2), INSTANT.test(actual)],
      [INSTANT.exec(recorded)?.slice(2), true],
      at,
    )
  }

  #checkMember(name: string, actual: unknown, recorded: unknown, at: string): void {
    if (OF_THE_MOMENT.has(name)) assert.equal(typeof actual, typeof recorded, at)
    else if (NAMES.has(name) && MADE_NAME.test(String(recorded))) assert.match(String(actual), MADE_NAME, at)
    else this.check(actual, recorded, at)
  }
}
