/**
 * Writes `docs/settings.md` from the schema: `npx node src/config/document.ts > docs/settings.md`. A test compares the two.
 */
import { allSettings } from '../config.ts'
import { describeAllowed, showValue } from './read.ts'
import type { Setting } from './setting.ts'

const HEAD = `# Settings

Made from the schema by \`npx node src/config/document.ts > docs/settings.md\`; change it there.

Millrace is configured by its environment. A flag wins over a \`MILLRACE_…\` variable, that over the \`PREFECT_…\` names
in the last column, these over the default. An empty variable counts as unset. A wrong value stops the start with a
sentence for each; a \`MILLRACE_…\` name that is unknown is warned of. \`millrace config\` prints what is in force and
where each value came from, with secrets masked.

* Durations: \`250ms\`, \`15s\`, \`90m\`, \`36h\`, \`7d\`, \`2w\`, \`1h30m\`; ISO 8601 (\`P7D\`, \`PT36H\`); \`7 days, 01:30:00\`; a bare
  number is seconds.
* Sizes: \`1500000\`, \`1.5MB\` (1000s), \`8MiB\` (1024s).
* Switches: \`true\`, \`1\`, \`yes\`, \`on\`, or \`false\`, \`0\`, \`no\`, \`off\`.
* A connection is one URL, or its pieces (host, port …) where the password comes separately. The URL wins, with a warning
  when both are set.
`

/** The whole page. */
export function documentSettings(settings: readonly Setting[] = allSettings): string {
  const rooms = Map.groupBy(settings, ({ path }) => (path.includes('.') ? (path.split('.')[0] ?? '') : 'general'))
  const sections = [...rooms].map(([room, inside]) => {
    const rows = inside.map((setting) => `| ${cells(setting).join(' | ')} |`)
    return [
      `\n## ${room}\n`,
      '| Variable | Default | What it does | Also understood |',
      '| --- | --- | --- | --- |',
      ...rows,
    ]
  })
  return `${HEAD}${sections.flat().join('\n')}\n`
}

function cells(setting: Setting): string[] {
  const shown = setting.kind === 'path' ? setting.default : showValue({ ...setting, secret: false }, setting.default)
  return [
    `\`${setting.environment}\``,
    shown === '' || shown === null ? 'unset' : `\`${shown}\``,
    `${setting.description}${allowed(setting)}${setting.secret ? ' Secret.' : ''}`,
    (setting.aliases ?? []).map((name) => `\`${name}\``).join(', '),
  ]
}

/** The bounds, where there are any that the column of defaults and the list above don't tell. */
function allowed(setting: Setting): string {
  if (!['integer', 'duration', 'size', 'choice'].includes(setting.kind)) return ''
  const phrase = describeAllowed(setting).replace(/^a (duration|size) such as .*, from/, 'From')
  return ` ${phrase[0]?.toUpperCase()}${phrase.slice(1)}.`
}

if (import.meta.main) process.stdout.write(documentSettings())
