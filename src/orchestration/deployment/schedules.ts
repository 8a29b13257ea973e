/** The schedules of a deployment: made, changed and replaced as its author asks. Pure. */

import { CommandInvalid, Conflict } from '#src/errors.ts'
import type { DeploymentSchedule } from '#src/events/deployment.ts'
import type { DecisionContext } from '../decision.ts'
import { checkSchedule } from './instants.ts'

/** A schedule as it is wished for. What is left out stays as it is, or gets its default. */
export interface WantedSchedule {
  readonly schedule?: Readonly<Record<string, unknown>> | null
  readonly active?: boolean | null
  readonly max_scheduled_runs?: number | null
  readonly parameters?: Readonly<Record<string, unknown>> | null
  readonly slug?: string | null
  /** The slug of the schedule that this one takes the place of. */
  readonly replaces?: string | null
}

type Context = Pick<DecisionContext, 'now' | 'newId'>
type Schedules = readonly DeploymentSchedule[]

/**
 * The wanted schedules in the place of all those that are there. One that says what a present one says stays what it is,
 * with its id, and so with the runs that were scheduled by it: the same request twice changes nothing.
 * @throws Conflict when two have one slug
 * @throws CommandInvalid when one can't be computed
 */
export function replaceSchedules(present: Schedules, wanted: readonly WantedSchedule[], context: Context): Schedules {
  const left = [...present]
  const made = wanted.map((each) => {
    const schedule = newSchedule(each, context)
    const same = left.findIndex((other) => saysTheSame(other, schedule))
    return same === -1 ? schedule : (left.splice(same, 1)[0] as DeploymentSchedule)
  })
  return withUniqueSlugs(made)
}

/**
 * The schedules that an update of the deployment asks for. When all have slugs, those it names are changed and others
 * added; else all are replaced.
 * @throws CommandInvalid when some have slugs and some don't, so that it isn't clear which are meant
 */
export function updateSchedules(present: Schedules, wanted: readonly WantedSchedule[], context: Context): Schedules {
  const haveSlugs = present.length > 0 && present.every(({ slug }) => slug !== null)
  const bringSlugs = wanted.every(({ slug }) => slug != null)
  if (!haveSlugs) return replaceSchedules(present, wanted, context)
  if (!bringSlugs)
    throw new CommandInvalid(
      'Please provide a slug for each schedule in your request to ensure schedules are updated correctly.',
    )
  refuseUnclearNames(present, wanted)
  let schedules = present
  for (const each of wanted) {
    const target = each.replaces ?? each.slug
    const found = present.find(({ slug }) => slug === target)
    if (found === undefined) schedules = [...schedules, newSchedule(each, context)]
    else
      schedules = schedules.map((schedule) => (schedule.id === found.id ? changed(schedule, each, context) : schedule))
  }
  return withUniqueSlugs(schedules)
}

/** The schedules with some more. @throws like `replaceSchedules` */
export function addSchedules(present: Schedules, wanted: readonly WantedSchedule[], context: Context): Schedules {
  return withUniqueSlugs([...present, ...wanted.map((each) => newSchedule(each, context))])
}

/** The schedules with one of them changed; the same ones when there is none with this id. @throws like `replaceSchedules` */
export function changeSchedule(present: Schedules, id: string, wanted: WantedSchedule, context: Context): Schedules {
  return withUniqueSlugs(present.map((each) => (each.id === id ? changed(each, wanted, context) : each)))
}

/** What a deployment's row says of its schedules. */
export function scheduleFields(schedules: Schedules) {
  return { schedules, has_schedule: schedules.some(({ active }) => active) }
}

function newSchedule(wanted: WantedSchedule, { now, newId }: Context): DeploymentSchedule {
  const { schedule, active, max_scheduled_runs, parameters, slug } = wanted
  if (schedule == null)
    throw new CommandInvalid('Unable to create new deployment schedules without a schedule configuration.')
  return {
    id: newId(),
    created: now,
    updated: now,
    schedule: checkSchedule(schedule, now),
    active: active ?? true,
    max_scheduled_runs: max_scheduled_runs ?? null,
    parameters: parameters ?? {},
    slug: slug ?? null,
  }
}

function changed(before: DeploymentSchedule, wanted: WantedSchedule, { now }: Context): DeploymentSchedule {
  const { schedule, active, max_scheduled_runs, parameters, slug } = wanted
  const after = {
    ...before,
    ...(schedule != null && { schedule: checkSchedule(schedule, now) }),
    ...(active != null && { active }),
    ...(max_scheduled_runs != null && { max_scheduled_runs }),
    ...(parameters != null && { parameters }),
    ...(slug != null && { slug }),
  }
  return JSON.stringify(after) === JSON.stringify(before) ? before : { ...after, updated: now }
}

function saysTheSame(a: DeploymentSchedule, b: DeploymentSchedule): boolean {
  const said = ({ id: _, created: _c, updated: _u, ...rest }: DeploymentSchedule) => JSON.stringify(rest)
  return said(a) === said(b)
}

function withUniqueSlugs(schedules: Schedules): Schedules {
  const slugs = schedules.map(({ slug }) => slug).filter((slug) => slug !== null)
  if (new Set(slugs).size < slugs.length) throw new Conflict('Schedule slugs must be unique within a deployment.')
  return schedules
}

function refuseUnclearNames(present: Schedules, wanted: readonly WantedSchedule[]): void {
  const replaced = wanted.map(({ replaces }) => replaces).filter((slug) => slug != null)
  const twice = replaced.find((slug, i) => replaced.indexOf(slug) !== i)
  if (twice !== undefined)
    throw new CommandInvalid(`Multiple schedules have 'replaces' targeting the same slug: ${twice}`)
  for (const { slug, replaces } of wanted) {
    const taken = present.some((each) => each.slug === slug) && !replaced.includes(slug ?? '')
    if (replaces != null && taken)
      throw new CommandInvalid(
        `Cannot rename schedule from '${replaces}' to '${slug}': a schedule with slug '${slug}' already exists.`,
      )
  }
}
