/** Plays a recorded client's part against a server, and compares each answer with the one that it got. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Step } from './recording.ts'
import { ReplayedSocket } from './replayed-socket.ts'
import { ReplayedSockets } from './replayed-sockets.ts'
import { SameForm } from './same-form.ts'

/** Its own version; and whether something was there before depends on what the recording's server had seen. */
const NOT_COMPARED = ['/api/admin/version', '/api/collections/views/aggregate-worker-metadata']

export class Replay {
  readonly #url: string
  readonly #form = new SameForm()
  readonly #sockets: ReplayedSockets

  constructor(url: string) {
    this.#url = url
    this.#sockets = new ReplayedSockets(url, this.#form)
  }

  /** Flows that the recording's server had already. */
  async makeFlows(steps: readonly Step[]): Promise<void> {
    const known = steps.filter(({ m, p, s }) => m === 'POST' && p === '/api/flows/' && s === 200)
    for (const { b } of known) await this.#send('POST', '/api/flows/', String(b))
  }

  async step(step: Step): Promise<void> {
    if (step.p.endsWith('/workers/connect')) await this.#workerChannel(step)
    else if (step.m.startsWith('WS')) await this.#sockets.step(step)
    else await this.#request(step)
  }

  /** Closes what is open. Nothing came that wasn't recorded. */
  async end(): Promise<void> {
    await this.#sockets.end()
  }

  /** A worker finds that it is refused, and does by HTTP what it would do there. */
  async #workerChannel({ m, p }: Step): Promise<void> {
    if (m !== 'WS') return
    await assert.rejects(ReplayedSocket.open(`${this.#url.replace('http', 'ws')}${p}`, ['prefect']), /404/)
    const body = JSON.stringify({ name: 'ProcessWorker', heartbeat_interval_seconds: 30 })
    const beat = await this.#send('POST', p.replace('connect', 'heartbeat'), body)
    assert.equal(beat.status, 204)
  }

  async #request({ m, p, q, b, s, r = '' }: Step): Promise<void> {
    const path = `${this.#form.translated(p)}${q ? `?${q}` : ''}`
    const response = await this.#send(m, path, b ? this.#form.translated(String(b)) : undefined)
    const at = `${m} ${p}`
    const text = await response.text()
    assert.equal(response.status, s, `${at}: ${text}`)
    if (r === '' || NOT_COMPARED.includes(p)) return
    const { code: _, ...refusal } = response.ok ? {} : JSON.parse(text) // refusals say more here: a lasting code
    const answer = response.ok ? JSON.parse(text) : refusal
    this.#form.check(answer, JSON.parse(r), at)
    if (answer?.status === 'WAIT') await sleep(answer.details.delay_seconds * 1_000) // as the client does
  }

  #send(method: string, path: string, body?: string): Promise<Response> {
    const headers = { 'content-type': 'application/json', 'x-prefect-api-version': '0.8.4' }
    return fetch(`${this.#url}${path}`, { method, headers, ...(body !== undefined && { body }) })
  }
}
