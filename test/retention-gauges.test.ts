import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { createRetentionGauges } from '#src/retention-gauges.ts'

const MINUTE_MS = 60_000

test('what retention saw is said while it is fresh, all of it, and nothing of it afterwards', async () => {
  const registry = new Registry()
  let nowMs = 0
  const gauges = createRetentionGauges([registry], () => nowMs)
  const said = async () => (await registry.metrics()).split('\n').filter((line) => /^millrace/.test(line))
  assert.deepEqual(await said(), [], 'nobody has looked yet')
  const day = (table: string) => ({ table, events: 3, bytes: 30 })
  const rest = { tables: [{ table: 'log', rows: 2, bytes: 20 }], growthBytes: 5, forecastBytes: 40 }
  gauges.seen({ days: [day('event_20260303'), day('event_20260304')], oldestSeconds: 60, ...rest })
  gauges.waiting(2)
  nowMs = 20 * MINUTE_MS
  gauges.seen({ days: [day('event_20260304')], oldestSeconds: null, ...rest })
  nowMs = 44 * MINUTE_MS
  assert.deepEqual(await said(), [
    'millrace_log_events{table="event_20260304"} 3',
    'millrace_log_bytes{table="event_20260304"} 30',
    'millrace_table_rows{table="log"} 2',
    'millrace_table_bytes{table="log"} 20',
    'millrace_log_growth_bytes_per_day 5',
    'millrace_log_forecast_bytes 40',
    'millrace_retention_waiting_days 2',
  ])
  nowMs = 45 * MINUTE_MS
  assert.deepEqual(await said(), [])
})
