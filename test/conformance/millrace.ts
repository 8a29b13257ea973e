import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { start } from '#test/cli/millrace.ts'

/** A whole Millrace as somebody would start it: its own Redis and Postgres, in a folder of its own. */
export async function startMillrace(home: string): Promise<{ readonly apiUrl: string; stop(): Promise<void> }> {
  const server = start(['server', 'start'], { MILLRACE_HOME: home, MILLRACE_SERVER_PORT: '0' })
  const output: string[] = []
  server.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(server.stdout).on('line', (line) => {
      output.push(line)
      const found = /Millrace runs at (\S+)/.exec(line)
      if (found?.[1] !== undefined) resolve(found[1])
    })
    server.once('exit', (code) => reject(new Error(`Millrace ended with ${code}\n${output.join('\n')}`)))
  })
  return {
    apiUrl: `${url}/api`,
    async stop() {
      const ended = once(server, 'exit')
      server.kill('SIGTERM')
      await ended
    },
  }
}
