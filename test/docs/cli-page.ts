/** Makes `docs/cli.md` from the help of every command: `npx node test/docs/cli-page.ts > docs/cli.md`. */
import type { Command } from 'commander'
import { buildProgram } from '#src/cli/program.ts'

const HEAD = `# The command line

Made from the help of every command by \`npx node test/docs/cli-page.ts > docs/cli.md\`; change it there.

In a clone of the repository \`millrace\` is \`npm run --silent millrace --\`, as in \`npm run --silent millrace -- config\`.

* What a command is asked for goes to standard output; everything else, logs included, to standard error.
* \`--json\` prints JSON, for programs; \`events stream\` prints it unless told otherwise.
* The exit code is 0 when it worked, 1 when it failed, 2 when it was called wrongly. What failed is said in a sentence. Commands that
  check something (\`archive verify\`, \`projections verify\`, \`schedules verify\`) exit with 1 also when something is wrong;
  \`database doctor\` has 3 and 4 for what it finds.
* Commands under \`database\`, and \`projections rebuild\` and \`verify\`, work on the database itself, which
  \`MILLRACE_DATABASE_URL\` names. What looks at a running server asks \`--url\`, else \`MILLRACE_API_URL\`, else the address that
  \`millrace server start\` would listen on here. Where it wants credentials, set \`MILLRACE_API_AUTH_STRING\`.
* Settings come from the environment ([settings](settings.md)); a flag wins over its variable.
`

const nowhere = {
  env: {},
  print: async () => {},
  note: () => {},
  confirm: async () => null,
  stop: new AbortController().signal,
}

/** The whole page. */
export function cliPage(): string {
  const sections = commandsOf(buildProgram(nowhere), []).map(
    ({ path, help }) => `\n## ${path}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`,
  )
  return HEAD + sections.join('')
}

interface Page {
  readonly path: string
  readonly help: string
}

/** A command that only groups others is described by them. */
function commandsOf(command: Command, above: readonly string[]): Page[] {
  const path = [...above, command.name()]
  const below = command.commands.flatMap((child) => commandsOf(child as Command, path))
  const isGroup = command.commands.length > 0 && above.length > 0
  return isGroup ? below : [{ path: path.join(' '), help: helpOf(command) }, ...below]
}

function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({
    writeOut: (text) => {
      help += text
    },
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return help
}

if (import.meta.main) process.stdout.write(cliPage())
