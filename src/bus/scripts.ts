import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Client } from './connection.ts'

const NAMES = [
  'append',
  'commit',
  'trim',
  'lease',
  'release',
  'join',
  'layout',
  'hold',
  'lift',
  'inspect',
  'forget',
  'ensure',
  'emit',
  'drop',
] as const
type Name = (typeof NAMES)[number]

const SCRIPTS = new Map(NAMES.map((name) => [name, load(name)]))

/**
 * Runs a script of `lua/` by its hash, and by its text when Redis doesn't know it (first use, restart, SCRIPT FLUSH).
 * That answer is sure to mean that nothing was done, so sending it again is safe.
 */
export async function runScript(
  redis: Client,
  name: Name,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  const script = SCRIPTS.get(name) as Script
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await redis.eval(script.text, keys.length, ...keys, ...args)
  }
}

interface Script {
  readonly text: string
  readonly sha: string
}

function load(name: Name): Script {
  const text = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
