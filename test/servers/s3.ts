/** An S3-compatible server of a test's own, with one bucket. It checks signatures as Amazon's does. */
import S3rver from '@20minutes/s3rver'
import type { TestScope } from '../world.ts'
import { makeTemporaryHome, removeHome } from './temporary-home.ts'

export interface OwnS3 {
  /** The settings that reach it, `MILLRACE_ARCHIVE_URL` with a prefix among them. */
  readonly environment: Readonly<Record<`MILLRACE_${string}`, string>>
  /** Ends it before the test does. */
  stop(): Promise<void>
}

const BUCKET = 'log-archive'
const KEY = 'S3RVER'

/** Ended with `t`. */
export async function ownS3(t: TestScope): Promise<OwnS3> {
  const directory = makeTemporaryHome()
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: BUCKET }],
  })
  const { port } = await server.run()
  let running = true
  const stop = async () => {
    if (running) await server.close()
    running = false
  }
  t.after(async () => {
    await stop()
    removeHome(directory)
  })
  return {
    environment: {
      MILLRACE_ARCHIVE_URL: `s3://${BUCKET}/millrace/prod`,
      MILLRACE_ARCHIVE_S3_ENDPOINT: `http://127.0.0.1:${port}`,
      MILLRACE_ARCHIVE_S3_ACCESS_KEY_ID: KEY,
      MILLRACE_ARCHIVE_S3_SECRET_ACCESS_KEY: KEY,
    },
    stop,
  }
}
