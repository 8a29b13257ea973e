/**
 * A process that starts the embedded servers, for tests that kill it: prints one line of JSON when they answer, or the
 * code of the error, and then stays until it is ended. SIGTERM stops it cleanly.
 */
import { startEmbedded } from '#src/embedded/index.ts'

const home = process.argv[2] ?? ''
try {
  const embedded = await startEmbedded({ home, need: { redis: true, postgres: true } })
  process.stdout.write(`${JSON.stringify({ ...embedded, pids: embedded.pids })}\n`)
  process.once('SIGTERM', async () => {
    await embedded.stop()
    process.exit(0)
  })
} catch (error) {
  process.stdout.write(`${JSON.stringify({ code: error instanceof Error && 'code' in error ? error.code : error })}\n`)
}
