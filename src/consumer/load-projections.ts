import { readdir } from 'node:fs/promises'
import { withDependencies } from './fold.ts'
import type { Projection } from './projection.ts'

/** The folder at the root of this package. */
export const PROJECTIONS = new URL('../../projections/', import.meta.url)

/**
 * Loads the projections of a folder: each file's default export. The folder is the list.
 * @returns each after those that it looks into
 * @throws TypeError that names a file which holds none, or two of one name or table
 */
export async function loadProjections(folder: URL = PROJECTIONS): Promise<readonly Projection[]> {
  const files = (await readdir(folder)).filter((file) => /(?<!\.d)\.[jt]s$/.test(file)).sort()
  const projections: Projection[] = []
  for (const file of files) {
    const { default: loaded } = (await import(new URL(file, folder).href)) as { readonly default?: Projection }
    if (typeof loaded?.stepFor !== 'function')
      throw new TypeError(`projections/${file}: its default export must come from defineProjection`)
    for (const { name, table } of projections)
      if (name === loaded.name || table === loaded.table)
        throw new TypeError(`projections/${file}: there is another projection named ${name}, with the table ${table}`)
    projections.push(loaded)
  }
  return withDependencies(projections)
}
