/** Runs the program in this process: what a child costs in time is worth it only where the process is what is tested. */
import { run } from '#src/cli/program.ts'

/** As `millrace` of `millrace.ts` answers; nobody is there to be asked. */
export async function millraceHere(args: readonly string[], env: Record<string, string> = {}) {
  const [stdout, stderr]: [string[], string[]] = [[], []]
  const exit = await run(args, {
    env,
    stop: new AbortController().signal,
    print: async (line) => void stdout.push(`${line}\n`),
    note: (line) => void stderr.push(`${line}\n`),
    confirm: async () => null,
  })
  return { stdout: stdout.join(''), stderr: stderr.join(''), exit }
}
