/** What a frame says; null where it is no JSON. */
export function frameJson(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString())
  } catch {
    return null
  }
}
