/** `millrace services ls`: every background service, its switch, and how its ticks stand. */
import { Command } from 'commander'
import type { Settings } from '../config.ts'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { CommandFailed } from './failure.ts'
import { loadServices } from './rooms.ts'
import {
  type ScheduleAnswer,
  shownBehind,
  shownInstant,
  shownLateness,
  shownSpec,
  shownTick,
} from './schedule-answers.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace services ls
  $ millrace services ls --offline --json`

interface Options {
  readonly offline?: true
  readonly json?: true
  readonly url?: string
}

export function servicesLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list every background service: what it does, its switch here, its cadence, its last and next tick')
    .option('--offline', 'ask no server: only what the settings say')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask for ticks (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ offline, json, url }: Options) => {
      const { sources, settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const { services } = await loadServices()
      const found = offline ? null : await schedulesOf(settings, terminal)
      const list = services.map((service) => ({
        ...service,
        enabled: sources.get(service.setting)?.value === true,
        schedule: found?.get(service.name) ?? null,
      }))
      if (json) return terminal.print(JSON.stringify(list, null, 2))
      const rows = list.map(({ name, enabled, title, environment, every, schedule }) => [
        name,
        enabled ? 'on' : 'off',
        title,
        every === null ? 'all the time' : shownSpec(schedule?.spec ?? every),
        ...(found === null ? [] : ticksOf(schedule)),
        environment,
      ])
      const ticks = ['last tick', 'late', 'next', 'owner', 'behind']
      const head = ['what it does', 'runs', ...(found === null ? [] : ticks)]
      await terminal.print(table(['name', 'state', ...head, 'switch'], rows))
    })
}

/** By name; null when no server answers, which is said and is no failure: the switches are known without one. */
async function schedulesOf(settings: Settings, terminal: Terminal): Promise<Map<string, ScheduleAnswer> | null> {
  try {
    const call = { method: 'GET', path: '/schedules' } as const
    const schedules = await callApi<ScheduleAnswer[]>(apiAddress(settings), call, terminal.stop)
    return new Map(schedules.map((schedule) => [schedule.name, schedule]))
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    terminal.note(`Without ticks, since ${error.message} Or ask for none with --offline.`)
    return null
  }
}

function ticksOf(schedule: ScheduleAnswer | null): string[] {
  if (schedule === null) return ['-', '-', '-', '-', '-']
  const { last, next, owner } = schedule
  const who = owner ?? last?.owner ?? '-'
  return [shownTick(last), shownLateness(last), shownInstant(next), who, shownBehind(schedule)]
}
