/** Other releases of this program, made by edits of source text: what a process runs that is deployed beside older ones. */
import type { Edit } from './mutations.ts'

export interface Release {
  readonly name: string
  readonly file: string
  readonly edits: readonly Edit[]
}

/** Where the clock of Redis is as much ahead as the key there says, in milliseconds. */
export const SETTABLE_CLOCK = 'a clock of Redis that can be set'
export const CLOCK_KEY = 'test:clock-ahead-ms'
const NOW = 'local latest = tonumber('

const RELEASES: readonly Release[] = [
  {
    name: SETTABLE_CLOCK,
    file: 'src/bus/scripts.ts',
    edits: [
      {
        find: 'const SCRIPTS = new Map(NAMES.map((name) => [name, load(name)]))',
        replace: `const SCRIPTS = new Map(NAMES.map((name) => {
          const { text, sha } = load(name)
          if (name !== 'emit') return [name, { text, sha }]
          if (text.split('${NOW}').length !== 2) throw new Error('the clock that can be set no longer fits')
          const set = text.replace('${NOW}', "now = now + tonumber(redis.call('GET', '${CLOCK_KEY}') or 0)\\n${NOW}")
          return [name, { text: set, sha: createHash('sha1').update(set).digest('hex') }]
        }))`,
      },
    ],
  },
  {
    name: 'resource-activity 2',
    file: 'projections/resource-activity.ts',
    edits: [
      { find: 'version: 1,', replace: 'version: 2,' },
      { find: 'counts: { [event]: 1 },', replace: "counts: { '#2': 1, [event]: 1 }," },
    ],
  },
]

/** @throws Error when there is none */
export function releaseNamed(name: string): Release {
  const found = RELEASES.find((release) => release.name === name)
  if (found) return found
  throw new Error(`no release '${name}'`)
}
