/** Ends the servers of tests that were killed before they could do so themselves. */
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { endProcess } from '#src/embedded/end-process.ts'
import { findLeftover } from '#src/embedded/pid-file.ts'
import { removeHome } from './temporary-home.ts'

/**
 * Looks for the pid files that src/embedded writes, and verifies them as it does.
 * @returns a sentence about each server that still ran
 */
export async function endServersIn(folder: string): Promise<string[]> {
  const ended: string[] = []
  for (const file of globSync('**/process.json', { cwd: folder })) {
    const path = join(folder, file)
    const found = findLeftover(path, '', dirname(path))
    if (found === null) continue
    await endProcess(found, 'SIGINT') // both servers take it as: finish, and don't wait for your clients
    ended.push(`A test left a server behind (process ${found.pid}, ${dirname(path)}).`)
  }
  for (const home of globSync('millrace-test-*', { cwd: folder })) removeHome(join(folder, home))
  return ended
}
