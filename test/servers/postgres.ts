/** A Postgres that belongs to one test, so that it may be killed, stopped, frozen and started again. */
import { join } from 'node:path'
import { startPostgres } from '#src/embedded/index.ts'
import type { PostgresBinaries } from '#src/embedded/postgres-binaries.ts'
import type { TestScope } from '../world.ts'
import { type OwnServer, ownServer } from './own-server.ts'
import { makeTemporaryHome, removeHome } from './temporary-home.ts'

/**
 * Started now, with an empty database that `url` names; ended with `t`. Its data is kept between `kill9` or `stop` and
 * `restart`, and gone afterwards. As durable as Millrace's own.
 * @param settings of postgresql.conf, for example `{ max_connections: '20' }`
 * @param binaries default: those that npm installed
 */
export async function ownPostgres(
  t: TestScope,
  settings: Readonly<Record<string, string>> = {},
  binaries?: PostgresBinaries,
): Promise<OwnServer> {
  const home = makeTemporaryHome()
  return ownServer(
    t,
    (port) =>
      startPostgres({
        folder: join(home, 'postgres'),
        log: () => {},
        restart: false,
        settings,
        ...(binaries && { binaries }),
        ...(port !== null && { port }),
      }),
    () => removeHome(home),
  )
}
