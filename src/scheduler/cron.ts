/** Cron expressions: five fields, six with seconds first, names, and nicknames such as @daily. */
import { Cron } from 'croner'
import { ScheduleInvalid } from '#src/errors.ts'
import type { CronSpec } from './spec.ts'
import type { NextWall } from './wall-instants.ts'

const EVERY_HOUR = new Set(['*', '*/1', '0-23'])
const NICKNAME = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/i

/** The local times that match, and whether they come every hour. @throws ScheduleInvalid */
export function cronWalls({ cron, dayOr = true }: CronSpec): { walls: NextWall; everyHour: boolean } {
  const text = cron.trim()
  const fields = text.split(/\s+/)
  if (text.startsWith('@') ? !NICKNAME.test(text) : fields.length !== 5 && fields.length !== 6)
    throw new ScheduleInvalid(
      `The cron expression '${cron}' needs five fields, or six with seconds first, or a name such as @daily.`,
    )
  // Without a zone: croner counts days and hours, `wall-instants.ts` places them in time.
  const matcher = parse(text, dayOr)
  return {
    walls: (afterWall) => matcher.nextRun(new Date(afterWall))?.getTime() ?? null,
    everyHour: text.toLowerCase() === '@hourly' || EVERY_HOUR.has(fields.at(-4) ?? ''),
  }
}

function parse(text: string, dayOr: boolean): Cron {
  try {
    return new Cron(text, { utcOffset: 0, paused: true, mode: '5-or-6-parts', domAndDow: !dayOr, sloppyRanges: true })
  } catch (error) {
    const reason = (error as Error).message.replace(/^(CronPattern|[A-Za-z]*Error): /, '').replace(/\.$/, '')
    throw new ScheduleInvalid(`The cron expression '${text}' can't be read: ${reason}.`)
  }
}
