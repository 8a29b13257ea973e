import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAuthorised } from '#src/api/auth.ts'
import { testApi } from './test-api.ts'

const env = { MILLRACE_SERVER_AUTH_STRING: 'admin:pass:wörd' }
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })

test('with an auth string set, everything but health asks for it', async (t) => {
  const app = await testApi(t, { env })
  for (const url of ['/api/admin/version', '/metrics', '/docs', '/docs/json', '/api/none']) {
    for (const headers of [{}, basic('admin:pass'), basic(''), { authorization: 'Bearer admin:pass:wörd' }]) {
      const answer = await app.inject({ url, headers })
      assert.deepEqual(
        [url, answer.statusCode, answer.body],
        [url, 401, '{"code":"UNAUTHORISED","exception_message":"Unauthorized"}'],
      )
    }
    assert.notEqual((await app.inject({ url, headers: basic('admin:pass:wörd') })).statusCode, 401)
  }
  assert.equal((await app.inject('/api/health')).statusCode, 200)
  assert.equal((await app.inject('/api/ready')).statusCode, 200)
})

test('without an auth string, nobody is asked', async (t) => {
  const app = await testApi(t)
  assert.equal((await app.inject({ url: '/api/hello', headers: basic('who:ever') })).statusCode, 200)
})

test('only the whole auth string will do', () => {
  assert.ok(isAuthorised('a:b', 'a:b'))
  assert.ok(isAuthorised(null, null))
  for (const presented of [null, '', 'a:', 'a:bc', 'A:b']) assert.ok(!isAuthorised('a:b', presented))
})
