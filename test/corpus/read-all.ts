/** Reads events back as a client does: page after page of `POST /api/events/filter`. */
import assert from 'node:assert/strict'

/** An event as a sender knows it. */
export interface SentEvent {
  readonly id: string
  readonly occurred: string
  readonly event: string
  readonly resource: Readonly<Record<string, string>>
  readonly related: readonly Readonly<Record<string, string>>[]
  readonly payload: unknown
  readonly follows: string | null
}

interface Page {
  readonly events: readonly (SentEvent & { readonly received: string })[]
  readonly total: number
  readonly next_page: string | null
}

const PAGE = 50

/** All that the filter finds, latest first, without when they were received; checks the pages on the way. */
export async function readAll(url: string, filter: object): Promise<SentEvent[]> {
  const events: SentEvent[] = []
  let page = await pageFrom(
    await fetch(`${url}/api/events/filter`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ filter, limit: PAGE }),
    }),
  )
  for (;;) {
    for (const { received, ...event } of page.events) {
      assert.match(received, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
      events.push(event)
    }
    if (page.next_page === null) break
    assert.equal(page.events.length, PAGE)
    page = await pageFrom(await fetch(page.next_page))
  }
  assert.equal(page.total, events.length)
  return events
}

async function pageFrom(response: Response): Promise<Page> {
  const body = await response.text()
  assert.equal(response.status, 200, body)
  return JSON.parse(body)
}
