import assert from 'node:assert/strict'
import { test } from 'node:test'
import { projectionRebuilds } from '#src/api/projection-rebuilds.ts'
import type { Api } from '#src/api/route.ts'
import { createLog } from '#src/log.ts'
import { rebuildStandings, runRebuild } from '#src/rebuild/index.ts'
import type { Store } from '#src/store/pool.ts'
import { deeds } from '#test/rebuild/deeds.ts'
import { rebuildWorld } from '#test/rebuild/rebuild-world.ts'
import { testApi } from './test-api.ts'

test('a rebuild is asked for, seen and given up over HTTP', async (t) => {
  const projection = deeds()
  const { pool, put, record, needs, rows, tables } = await rebuildWorld(t, [projection])
  const store = { hot: pool, prompt: pool } as unknown as Store
  const resources = [
    (app: Api) => projectionRebuilds(app, { store, projections: [projection], log: createLog('silent') }),
  ]
  const app = await testApi(t, { resources })
  const ask = async (method: 'POST' | 'DELETE', name = 'deed', body: object = {}): Promise<Record<string, unknown>> => {
    const url = `/api/millrace/projections/${name}/rebuild`
    const response = await app.inject({ method, url, ...(method === 'POST' && { payload: body }) })
    return { status: response.statusCode, ...(response.json() as Record<string, unknown>) }
  }
  await put([{ partition: 0, resource: 'deed.1', number: 1 }])
  await record()

  assert.equal((await ask('POST', 'nothing')).status, 404)
  assert.match(String((await ask('POST', 'deed', { from: 'then' }))['detail']), /'then' is no instant/)
  assert.deepEqual(await ask('POST'), { status: 202, id: 1, names: ['deed'] })
  assert.equal((await ask('POST'))['code'], 'REBUILD_BUSY')
  assert.equal((await rebuildStandings(pool, ['deed'])).get('deed')?.open?.state, 'requested')
  assert.deepEqual(await ask('DELETE'), { status: 200, cancelled: ['deed'], done: [] })
  const again = await ask('POST', 'deed', { strict: true })
  await runRebuild(needs(), Number(again['id']), new AbortController().signal)
  assert.deepEqual([await rows(), (await tables()).includes('deed__old')], [{ 'deed.1': '.1' }, true])
  assert.deepEqual(await ask('DELETE'), { status: 200, cancelled: [], done: [] })
  const standing = (await rebuildStandings(pool, ['deed'])).get('deed')
  assert.deepEqual([standing?.open, standing?.last?.state, standing?.kept?.version], [null, 'done', 1])
})
