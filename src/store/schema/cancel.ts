import type { Builders } from './build-index.ts'

/** Runs statements of one transaction, and has Postgres cancel the one under way when the signal is aborted. */
export async function cancellable<T>(
  { worker, observer }: Builders,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return run()
  signal.throwIfAborted()
  const { rows } = await worker.client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const cancel = () => void observer.client.query('select pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => {})
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await run()
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
