/** Sizes in bytes as people write them. */

const UNITS: readonly (readonly [name: string, bytes: number])[] = [
  ['gib', 1024 ** 3],
  ['mib', 1024 ** 2],
  ['kib', 1024],
  ['gb', 1000 ** 3],
  ['mb', 1000 ** 2],
  ['kb', 1000],
  ['b', 1],
]

/** Reads `1500000`, `1.5MB` or `8MiB`; null when the text is none of these. @returns whole bytes */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?b|b)?$/.exec(text.trim().toLowerCase().replaceAll('_', ''))
  if (match === null) return null
  const unit = UNITS.find(([name]) => name === (match[2] ?? 'b'))
  return unit === undefined ? null : Math.round(Number(match[1]) * unit[1])
}

/** Writes bytes in the largest binary unit that divides them, else as a plain number: `8MiB`, `1500000`. */
export function formatSize(bytes: number): string {
  for (const [name, size] of UNITS.slice(0, 3)) {
    if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${name[0]?.toUpperCase()}iB`
  }
  return String(bytes)
}
