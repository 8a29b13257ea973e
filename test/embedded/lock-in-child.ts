/**
 * A process that races for the locks of many homes, for the test of the lock. Prints the homes it won, as JSON, and
 * holds them until its input ends.
 * Arguments: the moment of the first attempt (Unix ms), then the homes, tried 20 ms apart so that rivals collide at each.
 */
import { once } from 'node:events'
import { lockHome } from '#src/embedded/home-lock.ts'
import { HomeInUse } from '#src/embedded/index.ts'

const [start, ...homes] = process.argv.slice(2)
const won: string[] = []
for (const [index, home] of homes.entries()) {
  while (Date.now() < Number(start) + index * 20); // sleeping would wake them apart
  try {
    lockHome(home)
    won.push(home)
  } catch (error) {
    if (!(error instanceof HomeInUse)) throw error
  }
}
process.stdout.write(`${JSON.stringify(won)}\n`)
await once(process.stdin.resume(), 'end')
