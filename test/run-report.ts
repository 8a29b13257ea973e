/** Prints a test run: one line per file and skipped test, failures in full, and at the very end how many passed and failed. */
import type { TestsStream } from 'node:test'
import { inspect } from 'node:util'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Collects what happens in each file; files may run at the same time. */
export class RunReport {
  private readonly out: NodeJS.WritableStream
  private readonly total: Counts = { passed: 0, failed: 0, skipped: 0 }
  private readonly failures: string[] = []

  constructor(out: NodeJS.WritableStream) {
    this.out = out
  }

  /** Follows one file to its end, and prints its line. */
  async file(file: string, stream: TestsStream): Promise<void> {
    const startedMs = performance.now()
    const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
    const failures: string[] = []
    const skips: string[] = []
    let printed = ''
    for await (const { type, data } of stream) {
      if (type === 'test:stdout' || type === 'test:stderr') printed += data.message
      if (type !== 'test:pass' && type !== 'test:fail') continue
      // The runner reports the file as a test of the same name when it has none, or when it failed as a whole: it
      // can't be loaded, ended too early, took too long, or something was thrown after the tests.
      const isFile = data.nesting === 0 && data.name.endsWith(file)
      if (isSet(data.skip) || isSet(data.todo)) {
        counts.skipped++
        skips.push(`  skipped: ${data.name}: ${reasonOf(data.skip ?? data.todo)}\n`)
      } else if (type === 'test:pass') counts.passed += isFile || data.details.type === 'suite' ? 0 : 1
      else if (failureType(data.details.error) !== 'subtestsFailed' && !(isFile && counts.failed > 0)) {
        counts.failed++
        failures.push(`${file}${isFile ? '' : ` › ${data.name}`}\n${describe(data.details.error)}`)
      }
    }
    if (counts.passed + counts.failed + counts.skipped === 0) {
      counts.failed++
      failures.push(`${file} holds no test`)
    }
    this.failures.push(...failures)
    if (failures.length > 0 && printed.trim() !== '') this.failures.push(`${file} printed:\n${printed.trimEnd()}`)
    for (const kind of ['passed', 'failed', 'skipped'] as const) this.total[kind] += counts[kind]
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    this.out.write(`${counts.failed > 0 ? '✖' : '✔'} ${file}: ${inWords(counts)} (${seconds} s)\n${skips.join('')}`)
  }

  /** Something outside of every test went wrong; it counts as a failure. */
  problem(sentence: string, error?: unknown): void {
    this.total.failed++
    this.failures.push(error === undefined ? sentence : `${sentence}\n${describe(error)}`)
  }

  /** Whether anything ran and nothing failed. */
  ok(): boolean {
    return this.total.failed === 0 && this.total.passed > 0
  }

  /** All failures, then the line that programs look for. */
  finish(): void {
    for (const failure of this.failures) this.out.write(`\n✖ ${failure}\n`)
    this.out.write(`\n${inWords(this.total)}\n`)
  }
}

function inWords({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false
}

function reasonOf(mark: string | boolean | undefined): string {
  return typeof mark === 'string' && mark !== '' ? mark : 'no reason is given'
}

function failureType(error: Error & { failureType?: string }): string | undefined {
  return error.failureType
}

/** The runner wraps what a test threw. */
function describe(error: unknown): string {
  const thrown = error instanceof Error && 'failureType' in error && error.cause !== undefined ? error.cause : error
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 6 })
}
