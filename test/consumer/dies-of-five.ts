/** A consumer process that kills itself when it applies number five; ends with 0 once nothing is left to apply. */
import { numberedHandler, openNumberedWorld, runNumberedConsumer } from './numbered-group.ts'

const [redisUrl = '', prefix = '', databaseUrl = ''] = process.argv.slice(2)
const numbered = await openNumberedWorld({ redisUrl, prefix, databaseUrl })
const before = (number: number) => {
  if (number === 5) process.kill(process.pid, 'SIGKILL')
}
const consumer = runNumberedConsumer(numbered, numberedHandler({ order: 'loose', before }))
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { rows } = await numbered.store.hot.query<{ count: string }>('select count(*) from numbered')
  const { rows: letters } = await numbered.store.hot.query<{ count: string }>('select count(*) from dead_letter')
  if (Number(rows[0]?.count) + Number(letters[0]?.count) === 22) break
}
await consumer.stop()
await numbered.close()
