/** `millrace projections ls`: every projection, its table, and how far the recorder is. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { counted, shownCount, shownMs } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace projections ls
  $ millrace projections ls --json | jq '.projections[] | select(.state != "live")'`

interface Rebuild {
  readonly state: string
  readonly leased: boolean
  readonly step: string
  readonly eventsDone: number
  readonly eventsTotal: number
  readonly failed: number
  readonly error: string | null
  readonly endedAt: string | null
}

interface Projections {
  readonly projections: readonly {
    readonly name: string
    readonly version: number
    readonly tableVersion: number | null
    readonly state: string
    readonly rows: number | null
    readonly deadLetters: number
    readonly behind: readonly number[]
    readonly rebuild: Rebuild | null
    readonly lastRebuild: Rebuild | null
    readonly kept: { readonly version: number } | null
  }[]
  readonly partitions: readonly {
    readonly partition: number
    readonly owner: string | null
    readonly checkpoint: string | null
    readonly lagEvents: number
    readonly lagMs: number
  }[]
}

const HEAD = ['projection', 'version', 'table', 'rows', 'state', 'dead letters', 'rebuild', 'last rebuild', 'kept']
const PARTITION = ['partition', 'owner', 'checkpoint', 'lag events', 'lag']

export function projectionsLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list the projections, their tables, and how far the recorder is')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'GET', path: '/projections' } as const
      const found = await callApi<Projections>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(found, null, 2))
      await terminal.print(table(HEAD, found.projections.map(row)))
      const partitions = found.partitions.map(({ partition, owner, checkpoint, lagEvents, lagMs }) => [
        String(partition),
        owner ?? '-',
        checkpoint ?? '-',
        shownCount(lagEvents),
        shownMs(lagMs),
      ])
      await terminal.print(`\n${table(PARTITION, partitions)}`)
    })
}

function row(each: Projections['projections'][number]): string[] {
  const { name, version, tableVersion, state, rows, deadLetters, behind, rebuild, lastRebuild, kept } = each
  return [
    name,
    String(version),
    tableVersion === null ? '-' : `v${tableVersion}`,
    rows === null ? '-' : `about ${shownCount(rows)}`,
    behind.length === 0 ? state : `${state}, behind in ${behind.join(', ')}`,
    shownCount(deadLetters),
    rebuild === null ? '-' : shownRebuild(rebuild),
    lastRebuild === null ? '-' : `${lastRebuild.state} ${lastRebuild.endedAt?.slice(0, 19)}Z${failures(lastRebuild)}`,
    kept === null ? '-' : `v${kept.version}`,
  ]
}

function shownRebuild(rebuild: Rebuild): string {
  const { state, leased, step, eventsDone, eventsTotal, error } = rebuild
  if (error !== null) return `failed: ${error}`
  if (!leased) return state === 'requested' ? state : 'left half-way'
  const share = eventsTotal > 0 ? ` ${Math.min(99, Math.floor((100 * eventsDone) / eventsTotal))} %` : ''
  return `${step || state}${step === 'folding' ? share : ''}${failures(rebuild)}`
}

function failures({ failed }: Rebuild): string {
  return failed > 0 ? `, ${counted(failed, 'event')} failed` : ''
}
