/** One real process of Millrace: an API server or a services process, to be killed, frozen and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '#test/wait-until.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const PRELOAD = new URL('./preload.ts', import.meta.url).href
const ADDRESS = /https?:\/\/[^\s/]+:\d+/
const READY_MS = 60_000
const STOP_MS = 15_000

export interface ProcessOptions {
  readonly name: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** The program; default `millrace`. */
  readonly main?: string
  /** What it prints once it runs; default its address. */
  readonly says?: RegExp
}

export class ServerProcess {
  readonly name: string
  /** What it wrote to stderr: JSON lines of its log. */
  readonly log: string[] = []
  readonly #options: ProcessOptions
  #child: ChildProcess | null = null
  #address: string | null = null

  constructor(options: ProcessOptions) {
    this.name = options.name
    this.#options = options
  }

  /** Where it answers, without a path. */
  get url(): string {
    if (this.#address === null) throw new Error(`${this.name} has not said where it is`)
    return this.#address
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /**
   * Starts it, or starts it again, and resolves when it says that it runs.
   * @param more of its environment, this time
   */
  async start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const { command, environment, name, main = MAIN, says = ADDRESS } = this.#options
    const compiled = process.env['MILLRACE_TEST_COMPILED']
    const own = { NODE_OPTIONS: '', MILLRACE_TEST_PARENT: String(process.pid) }
    const child = spawn(process.execPath, ['--import', PRELOAD, main, ...command], {
      env: { ...process.env, ...own, ...environment, ...more, ...(compiled && { NODE_COMPILE_CACHE: compiled }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#address = null
    let said = ''
    child.stdout?.on('data', (text: Buffer) => {
      said += text
      this.#address ??= says.exec(said)?.[0] ?? null
    })
    let rest = ''
    child.stderr?.on('data', (text: Buffer) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.log.push(...lines)
    })
    await waitUntil(
      () => {
        if (child.exitCode !== null || child.signalCode !== null) return 'ended'
        return this.#address
      },
      { timeoutMs: READY_MS, what: `${name} to start` },
    ).catch((error: unknown) => {
      child.kill('SIGKILL') // or there would be two, should it be started again
      throw error
    })
    if (child.exitCode !== null) throw new Error(`${name} ended at its start:\n${this.log.slice(-20).join('\n')}`)
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** How it ended; null while it runs. */
  get ended(): NodeJS.Signals | number | null {
    return this.#child?.signalCode ?? this.#child?.exitCode ?? null
  }

  /** Sends it a signal. */
  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name)
  }

  /** Frozen, by `pause` or by itself. */
  get isStopped(): boolean {
    const state = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]
    return state?.startsWith('T') ?? false
  }

  /** Freezes it: its connections stay open, its leases run out. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Ends it as an operator would. @throws Error when it doesn't end */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGCONT')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await this.#end('SIGTERM')
    clearTimeout(timer)
    if (child.signalCode === 'SIGKILL')
      throw new Error(`${this.name} did not stop within ${STOP_MS / 1_000} s:\n${this.log.slice(-20).join('\n')}`)
  }

  /** Lines of its log from a level up. */
  lines(level: 'warn' | 'error'): string[] {
    const levels = level === 'warn' ? /"level":"(warn|error|fatal)"/ : /"level":"(error|fatal)"/
    return this.log.filter((line) => levels.test(line))
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}
