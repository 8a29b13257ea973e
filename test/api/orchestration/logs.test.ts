import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { waitUntil } from '#test/wait-until.ts'
import { type Answer, apiClient } from './client.ts'

const AT = Date.parse('2026-11-24T00:00:00Z')

test('lines that runs log', async (t) => {
  const api = await apiClient(t)
  const [run, task] = [randomUUID(), randomUUID()]
  const line = (i: number, message: string, more: object = {}) => ({
    name: 'prefect.flow_runs',
    level: 20,
    message,
    timestamp: new Date(AT + i * 1_000).toISOString(),
    flow_run_id: run,
    ...more,
  })
  const messages = async (logs: object, more: object = {}) =>
    (await api.call(200, 'POST', '/logs/filter', { logs, ...more })).map(({ message }: Answer) => message).join(' ')

  const live = new WebSocket(`${api.url.replace('http', 'ws')}/api/logs/out`, ['prefect'])
  const frames: Answer[] = []
  live.on('message', (frame: Buffer) => frames.push(JSON.parse(frame.toString())))
  await once(live, 'open')
  live.send('{"type":"auth","token":null}')
  await waitUntil(() => frames[0]?.type === 'auth_success')
  const probe = randomUUID()
  live.send(JSON.stringify({ type: 'filter', filter: { level: { ge_: 30 }, flow_run_id: { any_: [run, probe] } } }))
  let probes = 0
  await waitUntil(async () => {
    await api.call(201, 'POST', '/logs/', [line(0, `${probes++}`, { level: 50, flow_run_id: probe })])
    return frames.length > 1 // nothing else says that it listens
  })

  const batch = [
    line(2, 'Zwei'),
    line(1, 'eins', { task_run_id: task }),
    line(3, 'drei NUL\0', { level: 40, name: 'other' }),
    line(4, 'vier', { flow_run_id: null, level: 10 }),
  ]
  await api.call(201, 'POST', '/logs/', batch)

  await t.test('are found by run, level, time and words, in order', async () => {
    const of = { flow_run_id: { any_: [run] } }
    assert.equal(await messages(of), 'eins Zwei drei NUL\u2400')
    assert.equal(await messages(of, { sort: 'TIMESTAMP_DESC', limit: 1 }), 'drei NUL\u2400')
    assert.equal(await messages(of, { limit: 1, offset: 1 }), 'Zwei')
    assert.equal(await messages({ level: { le_: 15 } }), 'vier')
    assert.equal(
      await messages({ timestamp: { after_: AT / 1_000 + 2, before_: AT / 1_000 + 3 } }),
      'Zwei drei NUL\u2400',
    )
    assert.equal(await messages({ ...of, task_run_id: { is_null_: true } }), 'Zwei drei NUL\u2400')
    // Live readers are not asked by these, so nobody is.
    for (const field of ['flow_run_id', 'level', 'timestamp'])
      await api.call(422, 'POST', '/logs/filter', { logs: { [field]: { is_null_: true } } })
    assert.equal(await messages({ task_run_id: { any_: [task] } }), 'eins')
    assert.equal(await messages({ text: { query: 'zwei EINS' } }), 'eins Zwei')
    assert.equal(await messages({ text: { query: 'other -vier' } }), 'drei NUL\u2400')
  })

  await t.test('are kept once, however often the batch is sent', async () => {
    await api.call(201, 'POST', '/logs/', batch)
    assert.equal((await api.call(200, 'POST', '/logs/filter', {})).length, 4 + probes)
    await api.call(201, 'POST', '/logs/', [])
  })

  await t.test('are sent live to whom the filter lets them', async () => {
    const ours = () => frames.filter(({ log }) => log?.flow_run_id === run)
    await waitUntil(() => ours().length > 0)
    assert.deepEqual(
      ours().map(({ type, log }) => [type, log.level, log.name]),
      [['log', 40, 'other']],
    )
    const closed = once(live, 'close')
    live.close()
    await closed
  })

  await t.test('are taken in thousands', async () => {
    const many = Array.from({ length: 2_000 }, (_, i) => line(i, `line ${i}`, { flow_run_id: task }))
    await api.call(201, 'POST', '/logs/', many)
    const page = { logs: { flow_run_id: { any_: [task] } }, offset: 1_900, limit: 200 }
    assert.equal((await api.call(200, 'POST', '/logs/filter', page)).length, 100)
  })

  await t.test('are downloaded as a file, however many', async () => {
    const { id: flow_id } = await api.call(201, 'POST', '/flows/', { name: 'logged' })
    const { id } = await api.call(201, 'POST', '/flow_runs/', { flow_id, name: "größe (o'clock)" })
    // More than a page, and most of them at one instant.
    const many = Array.from({ length: 2_500 }, (_, i) => line(Math.max(0, i - 2_400), `line ${i}`, { flow_run_id: id }))
    const last = line(200, 'she said "one,\ntwo"', { flow_run_id: id, task_run_id: task })
    await api.call(201, 'POST', '/logs/', [...many, last])
    const response = await fetch(`${api.url}/api/flow_runs/${id}/logs/download`)
    assert.equal(response.headers.get('content-type'), 'text/csv; charset=utf-8')
    assert.equal(
      response.headers.get('content-disposition'),
      `attachment; filename="flow-run-logs.csv"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%28o%27clock%29-logs.csv`,
    )
    const lines = (await response.text()).split('\r\n')
    assert.equal(lines.shift(), 'timestamp,level,flow_run_id,task_run_id,message')
    assert.equal(lines.pop(), '')
    assert.equal(lines.pop(), `2026-11-24T00:03:20.000000Z,20,${id},${task},"she said ""one,\ntwo"""`)
    assert.equal(new Set(lines).size, 2_500)
    assert.equal(lines.at(-1), `2026-11-24T00:01:39.000000Z,20,${id},,line 2499`)
    assert.deepEqual(
      lines,
      lines.toSorted((a, b) => (a.slice(0, 27) < b.slice(0, 27) ? -1 : 0)),
      'by time',
    )
    await api.call(404, 'GET', `/flow_runs/${randomUUID()}/logs/download`)
  })

  await t.test('are kept however long they are', async () => {
    const long = randomUUID()
    // As bytes of JSON 990,000 each, and 6,000,000: an event has 1,500,000 of anything else.
    const large = ['流'.repeat(330_000), '流'.repeat(330_000), '\u0001'.repeat(1_000_000), 'short']
    const lines = large.map((message, i) => line(i, message, { flow_run_id: long }))
    await api.call(201, 'POST', '/logs/', lines)
    const found = await api.call(200, 'POST', '/logs/filter', { logs: { flow_run_id: { any_: [long] } } })
    assert.ok(found.map(({ message }: Answer) => message).join() === large.join(), 'all of them, in order')
  })
})
