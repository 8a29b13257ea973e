/** Bytes and times as people read them in a table. */

const BYTES: readonly [unit: string, bytes: number][] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
]

/** `512 B`, `1.5 MiB`. */
export function shownBytes(bytes: number): string {
  const [unit, size] = BYTES.find(([, size]) => bytes >= size) ?? ['B', 1]
  return `${size === 1 ? bytes : (bytes / size).toFixed(1)} ${unit}`
}

const TIMES: readonly [unit: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
]

/** `0`, `250 ms`, `1.5 min`. */
export function shownMs(ms: number): string {
  if (ms === 0) return '0'
  const [unit, size] = TIMES.find(([, size]) => ms >= size) ?? ['ms', 1]
  return `${size === 1 ? ms : (ms / size).toFixed(1)} ${unit}`
}

/** The first characters of a text, in one line. */
export function shortened(text: string, most: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

/** `1 letter`, `2,000 letters`. */
export function counted(count: number, thing: string): string {
  const shown = shownCount(count)
  return `${shown} ${thing}${shown === '1' ? '' : 's'}`
}

/** `1,204,000`. */
export function shownCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}
