/** Tests that need a program which may not be had on every machine, and which prove what nothing else does. */

/**
 * Why to skip them: in words when the program is not there, else false. Where `CI` is set nobody would read these words, so
 * there it is an error.
 * @param found the program, or in words why there is none
 */
export function skipUnlessFound(found: object | string, ci = process.env['CI']): string | false {
  if (typeof found !== 'string') return false
  if (ci !== undefined && !['', '0', 'false'].includes(ci))
    throw new Error(`This may not be skipped where CI is set: ${found}`)
  return found
}
