import { setTimeout as sleep } from 'node:timers/promises'
import { AwsClient } from 'aws4fetch'
import { ArchiveUnavailable } from '#src/errors.ts'
import type { ArchivePlace, BucketOptions, WrittenObject } from './place.ts'

/** Servers answer 500, 503 or 429 now and then, and mean: try again. */
const ATTEMPTS = 4
const PAUSE_MS = 250

type Answer = { readonly bytes: Buffer | null } | { readonly said: string; readonly again: boolean }

/** An archive in a bucket of S3 or of a server that speaks as it does. @param url `s3://bucket/prefix` */
export function bucketArchive(url: string, options: BucketOptions): ArchivePlace {
  const { hostname: bucket, pathname } = new URL(url)
  const folder = pathname.replace(/^\/+|\/+$/g, '')
  const root = folder === '' ? '' : `${folder}/`
  const { endpoint, region, accessKeyId, secretAccessKey, sessionToken, timeoutMs } = options
  // The bucket in the path works everywhere, in the host's name only where DNS and certificates are made for it.
  const base = `${(endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/$/, '')}/${bucket}`
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== null && { sessionToken }) }
  const client = new AwsClient({ ...credentials, region, service: 's3', retries: 0 })
  const { host } = new URL(base)
  const addressOf = (key: string) => `${base}/${`${root}${key}`.split('/').map(encodeURIComponent).join('/')}`

  interface Question {
    readonly method: string
    readonly address: string
    readonly body?: Uint8Array
    readonly signal?: AbortSignal | undefined
  }

  /** The answer's bytes; null when there is no such object. */
  async function ask(question: Question): Promise<Buffer | null> {
    for (let attempt = 1; ; attempt++) {
      const answer = await once(question)
      if (!('said' in answer)) return answer.bytes
      question.signal?.throwIfAborted()
      if (attempt === ATTEMPTS || !answer.again) throw new ArchiveUnavailable(`${bucket} at ${host} ${answer.said}`)
      await sleep(PAUSE_MS * 2 ** attempt, undefined, { signal: question.signal }).catch(() => {})
    }
  }

  /** The answer, or what went wrong and whether it is worth another attempt. */
  async function once({ method, address, body, signal }: Question): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const response = await client.fetch(address, {
        method,
        ...(body && { body: body as Uint8Array<ArrayBuffer> }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
      const bytes = Buffer.from(await response.arrayBuffer()) // here, so that an answer that breaks off is asked for again
      if (response.ok) return { bytes }
      const code = /<Code>([^<]*)<\/Code>/.exec(bytes.toString('utf8'))?.[1] ?? ''
      if (response.status === 404 && code !== 'NoSuchBucket') return { bytes: null }
      if (response.status === 404) return { said: 'is no bucket: make it first', again: false }
      const again = response.status >= 500 || response.status === 429 || response.status === 408
      return { said: `answered ${response.status} ${code}`.trim(), again }
    } catch (error) {
      const { cause, message } = error as Error & { cause?: Error }
      return { said: `can't be reached (${cause?.message ?? message})`, again: true }
    }
  }

  async function listWritten(prefix: string, signal?: AbortSignal): Promise<WrittenObject[]> {
    const found: WrittenObject[] = []
    let token: string | undefined
    do {
      const query = new URLSearchParams({ 'list-type': '2', prefix: root + prefix })
      if (token !== undefined) query.set('continuation-token', token)
      const answer = (await ask({ method: 'GET', address: `${base}?${query}`, signal }))?.toString('utf8') ?? ''
      if (!answer.includes('<ListBucketResult'))
        throw new ArchiveUnavailable(`${bucket} at ${host} gave no list of keys`)
      for (const [, said = ''] of answer.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
        const key = /<Key>([^<]*)<\/Key>/.exec(said)?.[1] ?? ''
        const written = /<LastModified>([^<]*)<\/LastModified>/.exec(said)?.[1] ?? ''
        found.push({ key: plain(key).slice(root.length), writtenMs: Date.parse(written) })
      }
      token = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(answer)?.[1]
      token = token === undefined ? undefined : plain(token)
    } while (token !== undefined)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async function list(prefix: string, signal?: AbortSignal): Promise<string[]> {
    return (await listWritten(prefix, signal)).map(({ key }) => key)
  }

  return {
    address: { url, bucket: options },
    async put(key, body, signal) {
      const answer = await ask({ method: 'PUT', address: addressOf(key), body, signal })
      if (answer === null) throw new ArchiveUnavailable(`${bucket} at ${host} answered 404 to a write`)
    },
    get: (key, signal) => ask({ method: 'GET', address: addressOf(key), signal }),
    list,
    listWritten,
    async remove(key) {
      const keys = key.endsWith('/') ? await list(key) : [key]
      for (const each of keys) await ask({ method: 'DELETE', address: addressOf(each) })
    },
    urlOf: (key) => `s3://${bucket}/${root}${key}`,
  }
}

/** Keys of ours have no other characters that XML escapes; those of others in the same bucket may. */
function plain(text: string): string {
  const names: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => names[name] ?? '')
}
