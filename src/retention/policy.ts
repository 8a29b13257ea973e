/** What is kept for how long. Pure: the same settings and name always give the same answer. */

/** Where a name's retention comes from. */
export interface Kept {
  readonly ms: number
  /** The override that says so; null for the default. */
  readonly pattern: string | null
}

/** The retention of the log. */
export interface EventPolicy {
  readonly defaultMs: number
  /** Milliseconds by name, or by beginning and star. */
  readonly overrides: Readonly<Record<string, number>>
}

/** How long events of a name are kept: by an override of that very name, else by the longest beginning, else the default. */
export function keptFor({ defaultMs, overrides }: EventPolicy, name: string): Kept {
  if (Object.hasOwn(overrides, name)) return { ms: overrides[name] as number, pattern: name }
  const beginnings = Object.keys(overrides)
    .filter((pattern) => pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)))
    .sort((a, b) => b.length - a.length)
  const [pattern] = beginnings
  return pattern === undefined ? { ms: defaultMs, pattern: null } : { ms: overrides[pattern] as number, pattern }
}

/** Of the names of a day, those that are to be kept beyond this moment. */
export function namesKept(policy: EventPolicy, names: readonly string[], dayEndMs: number, nowMs: number): string[] {
  return names.filter((name) => dayEndMs + keptFor(policy, name).ms > nowMs)
}

/** Of names, those that are kept for less long than the default. */
export function namesShortLived(policy: EventPolicy, names: readonly string[]): string[] {
  return names.filter((name) => keptFor(policy, name).ms < policy.defaultMs)
}

/** Whether any override is shorter than the default: else nothing leaves the log before its day does. */
export function hasShorter({ defaultMs, overrides }: EventPolicy): boolean {
  return Object.values(overrides).some((ms) => ms < defaultMs)
}
