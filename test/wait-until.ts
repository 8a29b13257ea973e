/** Waits for a condition instead of for a time, so that a test is as fast as what it tests and doesn't fail when it is slow. */
import { setTimeout as sleep } from 'node:timers/promises'

const EVERY_MS = 20

/**
 * Asks until the condition gives something other than false, null or undefined, and gives that. An error that it throws
 * counts as "not yet"; the last one is the cause when time runs out.
 * @param what ends the sentence "waited 10 s for …" of the failure
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  options: { readonly timeoutMs?: number; readonly what?: string; readonly everyMs?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const timeoutMs = options.timeoutMs ?? 10_000
  const endMs = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const found = await condition()
      if (found !== false && found !== null && found !== undefined) return found as Exclude<T, false | null | undefined>
    } catch (error) {
      cause = error
    }
    if (performance.now() > endMs) {
      throw new Error(`waited ${timeoutMs / 1000} s for ${options.what ?? 'a condition'}`, { cause })
    }
    await sleep(options.everyMs ?? EVERY_MS)
  }
}
