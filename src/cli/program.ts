/** Puts the commands together; `main.ts` runs them. */
import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { archiveLsCommand } from './archive-ls.ts'
import { archiveRestoreCommand } from './archive-restore.ts'
import { archiveVerifyCommand } from './archive-verify.ts'
import { configCommand } from './config.ts'
import { databaseDoctorCommand } from './database-doctor.ts'
import { databaseRepairCommand } from './database-repair.ts'
import { databaseStampCommand } from './database-stamp.ts'
import { databaseStatusCommand } from './database-status.ts'
import { databaseUpgradeCommand } from './database-upgrade.ts'
import { deadLettersDiscardCommand } from './dead-letters-discard.ts'
import { deadLettersLsCommand } from './dead-letters-ls.ts'
import { deadLettersReplayCommand } from './dead-letters-replay.ts'
import { deadLettersShowCommand } from './dead-letters-show.ts'
import { eventsEmitCommand } from './events-emit.ts'
import { eventsStreamCommand } from './events-stream.ts'
import { describeFailure, EXIT } from './failure.ts'
import { lossesLsCommand } from './losses-ls.ts'
import { projectionsLsCommand } from './projections-ls.ts'
import { projectionsRebuildCommand } from './projections-rebuild.ts'
import { projectionsVerifyCommand } from './projections-verify.ts'
import { retentionPlanCommand } from './retention-plan.ts'
import { retentionPruneCommand } from './retention-prune.ts'
import { retentionShowCommand } from './retention-show.ts'
import { schedulesBackfillCommand } from './schedules-backfill.ts'
import { schedulesLsCommand } from './schedules-ls.ts'
import { schedulesPauseCommand, schedulesResumeCommand } from './schedules-pause.ts'
import { schedulesShowCommand } from './schedules-show.ts'
import { schedulesSimulateCommand } from './schedules-simulate.ts'
import { schedulesTriggerCommand } from './schedules-trigger.ts'
import { schedulesVerifyCommand } from './schedules-verify.ts'
import { serverStartCommand } from './server-start.ts'
import { servicesLsCommand } from './services-ls.ts'
import { servicesStartCommand } from './services-start.ts'
import { streamsForgetGroupCommand } from './streams-forget-group.ts'
import { streamsLsCommand } from './streams-ls.ts'
import { streamsRepartitionCommand } from './streams-repartition.ts'
import { streamsReplayCommand } from './streams-replay.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace server start
  $ millrace events emit order.placed --resource-id order.1 --payload '{"total": 12}'
  $ millrace events stream
  $ millrace config

Settings come from the environment; 'millrace config' prints them all.`

/** Builds the program. Nothing is loaded or connected before a command runs. */
export function buildProgram(terminal: Terminal): Command {
  const program = new Command('millrace')
    .description(manifest.description)
    .version(manifest.version, '--version', 'print the version')
    .addHelpText('after', EXAMPLES)
  const groups: [name: string, description: string, commands: Command[]][] = [
    ['server', 'run the API server', [serverStartCommand(terminal)]],
    ['services', 'run and list the background services', [servicesStartCommand(terminal), servicesLsCommand(terminal)]],
    [
      'database',
      'bring the database up to date, and look after it',
      [
        databaseUpgradeCommand(terminal),
        databaseStatusCommand(terminal),
        databaseRepairCommand(terminal),
        databaseStampCommand(terminal),
        databaseDoctorCommand(terminal),
      ],
    ],
    ['events', 'send and follow events', [eventsEmitCommand(terminal), eventsStreamCommand(terminal)]],
    [
      'dead-letters',
      'look at, replay and discard what could not be applied',
      [
        deadLettersLsCommand(terminal),
        deadLettersShowCommand(terminal),
        deadLettersReplayCommand(terminal),
        deadLettersDiscardCommand(terminal),
      ],
    ],
    [
      'streams',
      'look at the streams and their consumer groups',
      [
        streamsLsCommand(terminal),
        streamsReplayCommand(terminal),
        streamsRepartitionCommand(terminal),
        streamsForgetGroupCommand(terminal),
      ],
    ],
    [
      'projections',
      'list the read models, make them anew from the log, compare them with it',
      [projectionsLsCommand(terminal), projectionsRebuildCommand(terminal), projectionsVerifyCommand(terminal)],
    ],
    [
      'retention',
      'look at what is kept for how long, and have what is due leave',
      [retentionShowCommand(terminal), retentionPlanCommand(terminal), retentionPruneCommand(terminal)],
    ],
    [
      'archive',
      'list, check and bring back days that left the log',
      [archiveLsCommand(terminal), archiveVerifyCommand(terminal), archiveRestoreCommand(terminal)],
    ],
    [
      'schedules',
      'look at schedules and their ticks, pause and run them, and try when one would be due',
      [
        schedulesLsCommand(terminal),
        schedulesShowCommand(terminal),
        schedulesPauseCommand(terminal),
        schedulesResumeCommand(terminal),
        schedulesTriggerCommand(terminal),
        schedulesBackfillCommand(terminal),
        schedulesVerifyCommand(terminal),
        schedulesSimulateCommand(terminal),
      ],
    ],
    ['losses', 'look at what Redis lost', [lossesLsCommand(terminal)]],
  ]
  for (const [name, description, commands] of groups) {
    const group = new Command(name).description(description)
    for (const command of commands) group.addCommand(command)
    program.addCommand(group)
  }
  return settle(program.addCommand(configCommand(terminal)), terminal)
}

/** Has every command report its failures in our way, instead of ending the process by itself. */
function settle(command: Command, terminal: Terminal): Command {
  command.exitOverride()
  command.configureOutput({
    outputError: (text) =>
      terminal.note(
        `${text
          .trim()
          .replace(/^error: /, 'millrace: ')
          .replaceAll('\n', ' ')} (see --help)`,
      ),
  })
  for (const child of command.commands) settle(child as Command, terminal)
  return command
}

/** Runs one command line, without the program's name. @returns the exit code */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await buildProgram(terminal).parseAsync([...args], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    const { lines, exit } = describeFailure(error, terminal.env)
    for (const line of lines) terminal.note(line)
    return exit
  }
}
