import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maskUrl, readHttpUrl, readPostgresUrl, readRedisUrl } from '#src/config/urls.ts'

test('a password in a URL is masked, also when the URL is broken', () => {
  const urls: [string, string][] = [
    ['redis://user:hush@host:6379/0', 'redis://user:***@host:6379/0'],
    ['redis://:hush@host', 'redis://:***@host'],
    ['postgresql://u:hu:sh@h@ost/db', 'postgresql://u:***@ost/db'],
    ['postgresql://u:hu/sh@host/db', 'postgresql://u:***@host/db'],
    ['postgresql://host/db?user=u&password=hush&x=1', 'postgresql://host/db?user=u&password=***&x=1'],
    ['redis:/u:hush@host', 'redis:/u:***@host'],
    ['u:hush@host', '***'],
    [
      'redis+sentinel://u:hush@a:1,b:2/m/0?sentinelPassword=hush',
      'redis+sentinel://u:***@a:1,b:2/m/0?sentinelPassword=***',
    ],
    ['redis+sentinel://a:1,b:2/m?sentinelPassword=hu@sh', 'redis+sentinel://a:***'],
    ['rediss+cluster://:hu,s:h@a:1,b:2', 'rediss+cluster://:***@a:1,b:2'],
    ['redis://host:6379', 'redis://host:6379'],
    ['http://[::1]:4200/api', 'http://[::1]:4200/api'],
  ]
  for (const [url, masked] of urls) assert.equal(maskUrl(url), masked)
})

test('the URL of one Redis server is with or without TLS', () => {
  assert.deepEqual(readRedisUrl('redis://h'), { value: 'redis://h' })
  assert.deepEqual(readRedisUrl('rediss://u:p@h:1/15'), { value: 'rediss://u:p@h:1/15' })
  assert.deepEqual(readRedisUrl('valkeys://h/1'), { value: 'rediss://h/1' })
  for (const wrong of ['h:6379', 'localhost', 'redis://', 'redis://h:99999', 'redis://h/x', 'unix:///s'])
    assert.ok('allowed' in readRedisUrl(wrong), wrong)
})

test('Postgres URLs may carry the driver and the TLS word of Python', () => {
  assert.deepEqual(readPostgresUrl('postgresql+asyncpg://u:p@h/d'), { value: 'postgresql://u:p@h/d' })
  assert.deepEqual(readPostgresUrl('postgres://h/d?ssl=require'), { value: 'postgres://h/d?sslmode=require' })
  assert.deepEqual(readPostgresUrl('postgresql:///d?host=/run/pg'), { value: 'postgresql:///d?host=/run/pg' })
  for (const wrong of ['mysql://h/d', 'postgresql://h', 'sqlite://', 'h/d'])
    assert.ok('allowed' in readPostgresUrl(wrong), wrong)
})

test('HTTP URLs lose their last slash', () => {
  assert.deepEqual(readHttpUrl('http://h:4200/api/'), { value: 'http://h:4200/api' })
  assert.ok('allowed' in readHttpUrl('ftp://h'))
})
