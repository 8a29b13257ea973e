import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineService, type JobContext, jobOf } from '#src/services/service.ts'
import type { Tick } from '#src/ticks/index.ts'

test('a run decides by the time of Postgres, not by that of its process', async () => {
  const service = defineService({
    ...{ name: 'clocked', title: '', description: '', setting: '', environment: '', isOn: () => true },
    schedule: { everyMs: 1_000 },
    run: async ({ nowMs }) => ({ nowMs: nowMs() }),
  })
  const job = jobOf(service, { nowMs: () => 1 } as JobContext)
  assert.deepEqual(await job.run({ nowMs: () => 2 } as Tick), { nowMs: 2 })
})
