/** Sets this process's clock off by `MILLRACE_TEST_CLOCK_OFFSET` milliseconds; imported before anything reads it. */
const offsetMs = Number(process.env['MILLRACE_TEST_CLOCK_OFFSET'] ?? 0)

if (offsetMs !== 0) {
  const RealDate = Date
  const now = () => RealDate.now() + offsetMs
  class ShiftedDate extends RealDate {
    constructor(...given: [] | [value: number | string | Date]) {
      super(...((given.length === 0 ? [now()] : given) as [number]))
    }
    static override now = now
  }
  globalThis.Date = ShiftedDate as DateConstructor
}
