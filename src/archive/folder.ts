import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArchiveUnavailable } from '#src/errors.ts'
import type { ArchivePlace, WrittenObject } from './place.ts'

/** Begins the names of files that are being written; what a process that died left is removed with its attempt's folder. */
const UNFINISHED = '.unfinished-'

/** An archive in a folder, which is made when the first object is written. @param url `file:///…` */
export function folderArchive(url: string): ArchivePlace {
  const root = fileURLToPath(url)
  const fileOf = (key: string) => join(root, ...key.split('/'))

  async function put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const path = fileOf(key)
    await makeFolder(dirname(path))
    const unfinished = join(dirname(path), UNFINISHED + randomUUID())
    try {
      await writeSynced(unfinished, bytes)
      await rename(unfinished, path)
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {}) // a full disk is not to be filled with attempts
      throw error
    }
    await syncFolder(dirname(path))
  }

  async function list(prefix: string): Promise<string[]> {
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(unlessMissing([]))
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .filter((key) => key.startsWith(prefix))
      .sort()
  }

  async function listWritten(prefix: string): Promise<WrittenObject[]> {
    const found: WrittenObject[] = []
    for (const key of await list(prefix)) {
      const file = await stat(fileOf(key)).catch(unlessMissing(null)) // removed since it was listed
      if (file !== null) found.push({ key, writtenMs: file.mtimeMs })
    }
    return found
  }

  return {
    address: { url, bucket: null },
    put: (key, bytes, signal) => orUnavailable(root, put(key, bytes, signal), signal),
    get: (key) => orUnavailable(root, readFile(fileOf(key)).catch(unlessMissing(null))),
    list: (prefix) => orUnavailable(root, list(prefix)),
    listWritten: (prefix) => orUnavailable(root, listWritten(prefix)),
    remove: (key) => orUnavailable(root, rm(fileOf(key), { recursive: key.endsWith('/'), force: true })),
    urlOf: (key) => `${url.replace(/\/$/, '')}/${key}`,
  }
}

/**
 * Makes a folder and those above it, each name on disk: or all that is in them is gone after a crash of the machine. (Node's
 * own `recursive` does not sync, and tries for ever where a folder says that it is there and not there, as in /proc.)
 */
async function makeFolder(path: string, last = false): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || last) throw error
    await makeFolder(dirname(path))
    return makeFolder(path, true)
  }
  await syncFolder(dirname(path))
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync().finally(() => folder.close())
}

function unlessMissing<T>(otherwise: T) {
  return (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return otherwise
    throw error
  }
}

async function orUnavailable<T>(root: string, done: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await done
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ArchiveUnavailable(`the folder ${root} can't be used (${(cause as Error).message})`, { cause })
  }
}
