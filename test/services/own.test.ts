/** What is refused of services of the program around; that they run is told by test/release. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMillrace, defineService, type OwnService } from '#src/index.ts'
import { world } from '#test/world.ts'

const fine = { name: 'shop.digest', schedule: { everyMs: 60_000 }, run: async () => ({}) }

test('a service that can not be is refused where it is defined, in a sentence that says why', () => {
  assert.equal(defineService(fine), fine)
  const cases: [unknown, string, RegExp][] = [
    [{ ...fine, name: 'Shop digest' }, 'SERVICE_INVALID', /"Shop digest" is no name/],
    [{ ...fine, run: undefined }, 'SERVICE_INVALID', /no function 'run'/],
    [{ ...fine, schedule: undefined }, 'SCHEDULE_INVALID', /has no schedule/],
    [{ ...fine, schedule: { cron: '0 0 30 2 *' } }, 'SCHEDULE_INVALID', /never/],
    [{ ...fine, policy: { overlapp: 'skip' } }, 'SERVICE_INVALID', /'overlapp': there are catchUp, .*overlap/],
    [{ ...fine, policy: { overlap: 'both' } }, 'SERVICE_INVALID', /wrong overlap: "both"/],
    [{ ...fine, policy: { attempts: 0 } }, 'SERVICE_INVALID', /wrong attempts: 0/],
  ]
  for (const [service, code, message] of cases)
    assert.throws(() => defineService(service as OwnService), { code, message }, JSON.stringify(service))
})

test('a name that is taken stops the start', async (t) => {
  const { redisUrl, databaseUrl, prefix } = await world(t)
  const env = {
    MILLRACE_REDIS_URL: redisUrl,
    MILLRACE_REDIS_PREFIX: prefix,
    MILLRACE_DATABASE_URL: databaseUrl,
    MILLRACE_LOG_LEVEL: 'error',
  }
  for (const own of [[defineService({ ...fine, name: 'retention' })], [fine, fine]])
    await assert.rejects(createMillrace({ env, api: false, ownServices: own }), {
      code: 'SERVICE_INVALID',
      message: /^There is a service '.*' already: give yours a name of its own, such as 'my\./,
    })
})
