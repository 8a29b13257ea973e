/** `millrace streams ls`: the streams, how far each group is, and who keeps them from being trimmed. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { shownBytes, shownMs } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace streams ls
  $ millrace streams ls --json | jq '.partitions[] | select(.heldBy != null)'`

interface Group {
  readonly group: string
  readonly owner: string | null
  readonly missing: boolean
  readonly checkpoint: string | null
  readonly pending: number
  readonly lagEntries: number | null
  readonly lagEvents: number
  readonly lagMs: number
}

interface Partition {
  readonly partition: number
  readonly length: number
  readonly memoryBytes: number
  readonly firstId: string | null
  readonly lastId: string | null
  readonly events: number
  readonly heldBy: string | null
  readonly groups: readonly Group[]
}

interface Streams {
  readonly partitions: readonly Partition[]
  readonly note: string | null
}

const STREAM = ['partition', 'entries', 'memory', 'first', 'last', 'events', 'held by']
const GROUP = ['partition', 'group', 'owner', 'checkpoint', 'pending', 'lag entries', 'lag events', 'lag']

export function streamsLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list the streams, how far each group is, and who keeps them from being trimmed')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const streams = await callApi<Streams>(apiAddress(settings), { method: 'GET', path: '/streams' }, terminal.stop)
      if (json) return terminal.print(JSON.stringify(streams, null, 2))
      await terminal.print(table(STREAM, streams.partitions.map(streamRow)))
      const groups = streams.partitions.flatMap(({ partition, groups }) =>
        groups.map((group) => groupRow(partition, group)),
      )
      await terminal.print(groups.length === 0 ? '\nNo group reads them yet.' : `\n${table(GROUP, groups)}`)
      if (streams.note !== null) terminal.note(streams.note)
    })
}

function streamRow(stream: Partition): string[] {
  return [
    String(stream.partition),
    String(stream.length),
    shownBytes(stream.memoryBytes),
    stream.firstId ?? '-',
    stream.lastId ?? '-',
    String(stream.events),
    stream.heldBy ?? '-',
  ]
}

function groupRow(partition: number, group: Group): string[] {
  return [
    String(partition),
    group.missing ? `${group.group} (not in Redis)` : group.group,
    group.owner ?? '-',
    group.checkpoint ?? '-',
    String(group.pending),
    group.lagEntries === null ? '?' : String(group.lagEntries),
    String(group.lagEvents),
    shownMs(group.lagMs),
  ]
}
