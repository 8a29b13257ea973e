/** One benchmark: says what it measures, runs, checks its own result, and returns rows for people and programs. */
export interface Scenario {
  readonly name: string
  readonly title: string
  run(options: { readonly quick: boolean; readonly say: (line: string) => void }): Promise<ScenarioResult>
}

export interface ScenarioResult {
  readonly rows: readonly Readonly<Record<string, string | number>>[]
  /** What was wrong with the result, if anything: then the figures mean nothing. */
  readonly failures: readonly string[]
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** @param share 0.99 for the 99th percentile */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function round(value: number, digits = 0): number {
  return Number(value.toFixed(digits))
}
