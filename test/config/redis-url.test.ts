import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostsOf, parseRedisUrl, type RedisTarget } from '#src/config/redis-url.ts'

const target = (url: string): RedisTarget | string => {
  const reading = parseRedisUrl(url)
  return 'allowed' in reading ? reading.allowed : reading.target
}

const value = (url: string): string => {
  const reading = parseRedisUrl(url)
  return 'allowed' in reading ? reading.allowed : reading.value
}

test('a Sentinel URL names several Sentinels, the primary, its database and both logins', () => {
  assert.deepEqual(
    target('rediss+sentinel://u:p%40@a:1,[::1]:2,c/my%20one/3?sentinelPassword=s%26&sentinelUsername=w'),
    {
      kind: 'sentinel',
      hosts: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'c', port: 26_379 },
      ],
      tls: true,
      username: 'u',
      password: 'p@',
      masterName: 'my one',
      db: 3,
      sentinelUsername: 'w',
      sentinelPassword: 's&',
    },
  )
})

test('what a Sentinel or Cluster URL leaves out has its default', () => {
  assert.equal(value('redis+sentinel://a/m'), 'redis+sentinel://a:26379/m/0')
  assert.equal(value('redis+cluster://:p@a,b:7000/'), 'redis+cluster://:p@a:6379,b:7000')
  assert.equal(value('valkeys+cluster://a'), 'rediss+cluster://a:6379')
  assert.equal(
    value(' REDIS+SENTINEL://:a%2Fb%40@h/m/7?sentinelPassword=a%40b '),
    'redis+sentinel://:a%2Fb%40@h:26379/m/7?sentinelPassword=a%40b',
  )
})

test('the canonical text of a URL says the same as the URL', () => {
  for (const url of [
    'redis://u:p@h:1/2',
    'redis+sentinel://u:%40%2F%3A@[::1]:1,b/m%2Fx/3?sentinelPassword=%26%40%3D',
    'rediss+cluster://u:%25@a:1,b:2',
  ])
    assert.deepEqual(target(value(url)), target(url), url)
})

test('a Redis URL that cannot be understood is refused with the form of its kind', () => {
  for (const url of [
    'redis+sentinel://a',
    'redis+sentinel:///m',
    'redis+sentinel://a,/m',
    'redis+sentinel://a/m/x',
    'redis+sentinel://a/m/0/1',
    'redis+sentinel://a/m?password=x',
    'redis+sentinel://:%zz@a/m',
  ])
    assert.match(String(target(url)), /^a Sentinel URL must be/, url)
  for (const url of ['redis+cluster://', 'redis+cluster://a:99999', 'redis+cluster://a/1', 'redis+cluster://a?x=1'])
    assert.match(String(target(url)), /^a Cluster URL must be/, url)
  assert.match(String(target('redis+other://a')), /^it must be the URL of a Redis server/)
})

test('a sentence about a target names its hosts and no secret', () => {
  const hosts = (url: string) => hostsOf(target(url) as RedisTarget)
  assert.equal(hosts('redis+cluster://u:hush@a:1,[::1]:2'), 'a:1, [::1]:2')
  assert.equal(hosts('redis://:hush@h'), 'h:6379')
})
