/** Other releases of this program, made by edits of source text: what a process runs that is deployed beside older ones. */
import type { Edit } from './mutations.ts'

export interface Release {
  readonly name: string
  readonly file: string
  readonly edits: readonly Edit[]
}

const RELEASES: readonly Release[] = [
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
