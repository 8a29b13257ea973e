/** Prints what some schedules come to in this process, for another process to compare. */
import { compileSchedule, nextInstants, showInstant } from '#src/scheduler/index.ts'

const specs = [
  { cron: '30 1,2 * * *', timeZone: 'America/New_York' },
  { cron: '0 0 * * *', timeZone: 'America/Santiago', dst: { fold: 'both' } },
  { cron: '*/20 * * * *', timeZone: 'Australia/Lord_Howe' },
  { everyMs: 86_400_000, timeZone: 'Africa/Cairo', startAt: '2026-01-01T06:00:00' },
  { rrule: 'DTSTART:20260101T013000\nRRULE:FREQ=WEEKLY;BYDAY=SU', timeZone: 'Europe/London' },
]
for (const spec of specs) {
  const schedule = compileSchedule(spec)
  process.stdout.write(`${schedule.hash}\n`)
  for (const from of [Date.UTC(2026, 2, 7), Date.UTC(2026, 9, 3), Date.UTC(2026, 10, 1)])
    for (const at of nextInstants(schedule, from, 10))
      process.stdout.write(`${Object.values(showInstant(schedule, at)).join(' ')}\n`)
}
