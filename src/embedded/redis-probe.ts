/** Asks a starting Redis whether it serves yet. A client library would retry, log and hide what is wanted here. */
import { connect } from 'node:net'
import type { Readiness } from './child.ts'

const ANSWER_MS = 2_000

/**
 * One connection, one question. While Redis loads its log it answers INFO, so that progress can be told; not being
 * there yet is no error.
 */
export function probeRedis(port: number, password: string): Promise<Readiness> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let text = ''
    const answer = (readiness: Readiness): void => {
      socket.destroy()
      resolve(readiness)
    }
    socket.setEncoding('utf8').setTimeout(ANSWER_MS, () => answer({ ready: false, progress: null }))
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nINFO persistence\r\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      const loading = /^loading:(\d)/m.exec(text)?.[1]
      if (loading === '0') answer({ ready: true })
      // The last line asked for: everything before it has arrived by then.
      const percent = /^loading_loaded_perc:([\d.]+)/m.exec(text)?.[1]
      if (loading === '1' && percent !== undefined) {
        answer({ ready: false, progress: `it has loaded ${percent} % of its log` })
      }
    })
    socket.once('error', () => answer({ ready: false, progress: null }))
    socket.once('close', () => answer({ ready: false, progress: null }))
  })
}
