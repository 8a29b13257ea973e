/**
 * Events that commands decide. Projections make the rows of runs, deployments, pools and the like of them, and commands are
 * decided on these rows, so nobody else may tell such things: an event that is sent in is checked by its envelope, not by the
 * rules of what it is about.
 */

/** What there are commands for and Prefect has events of: `prefect.<kind>.…`. */
const KINDS: ReadonlySet<string> = new Set([
  'concurrency-limit',
  'deployment',
  'flow',
  'flow-run',
  'variable',
  'work-pool',
  'work-queue',
])
const PREFECT = 'prefect.'
const OWN = 'millrace.'

/**
 * What is wrong with an event that is sent in and tells what only commands decide; null for any other. Events of these kinds
 * that clients tell, such as heartbeats, set no fields and are welcome.
 * @param payload its JSON
 */
export function refuseDecision(event: string, payload: Buffer): string | null {
  if (event.startsWith(OWN)) return `event: names that begin with '${OWN}' are the server's own`
  if (!event.startsWith(PREFECT)) return null
  const end = event.indexOf('.', PREFECT.length)
  const kind = event.slice(PREFECT.length, end)
  if (end === -1 || !KINDS.has(kind)) return null
  if (event.slice(end) === '.deleted') return `event: '${event}' is told by the server, when somebody asks it to delete`
  const member = kind.replaceAll('-', '_')
  if (!payload.includes(member) && !payload.includes('\\')) return null
  if (!Object.hasOwn(JSON.parse(payload.toString()), member)) return null
  return `payload: '${member}' in '${event}' is the server's own to set`
}
