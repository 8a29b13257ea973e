/**
 * Gets a redis-server out of Debian's or Ubuntu's package archive without installing anything, and so without root:
 * the packages are downloaded with the system's own apt, signatures checked, and unpacked into a cache folder.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run-command.ts'

/** A program and the folders of the libraries unpacked beside it. */
export interface Unpacked {
  readonly command: string
  readonly libraryPath: string
}

/** Each from its package of the same name, best first; what else it needs, apt tells. */
const PACKAGES = ['redis-server', 'valkey-server']
/** Taken when apt can't say, for example because another package on the system is broken. Right for Debian 12. */
const KNOWN_DEPENDENCIES = ['redis-tools', 'liblzf1', 'libjemalloc2', 'libatomic1']

/** What was unpacked into this cache before; it may have stopped working when the system was upgraded. */
export function unpackedRedis(cacheDir: string): Unpacked[] {
  return PACKAGES.map((name) => programIn(join(cacheDir, name), name)).filter((found) => found !== null)
}

/** Fetches and unpacks; null when this system has no apt, or its archive none of the packages. */
export async function unpackRedis(cacheDir: string, log: (line: string) => void): Promise<Unpacked | null> {
  if (!(await run('apt-get', ['--version'])).ok || !(await run('dpkg', ['--version'])).ok) return null
  for (const name of PACKAGES) {
    const packages = await withDependencies(name, log)
    if (packages === null) continue
    log(`Fetching ${name} from this system's package archive into ${cacheDir} (once, a few MB).`)
    const unpacked = await unpack(cacheDir, name, packages)
    if (unpacked !== null) return unpacked
  }
  return null
}

/** The packages that installing this one would bring here; null when the archive doesn't have it. */
async function withDependencies(name: string, log: (line: string) => void): Promise<string[] | null> {
  if (!(await isListed(name))) {
    // Images come without package lists; only root can fetch them.
    if (process.getuid?.() !== 0 || (await haveLists())) return null
    log("Fetching the package lists with 'apt-get update'.")
    await run('apt-get', ['update'])
    if (!(await isListed(name))) return null
  }
  const plan = await run('apt-get', ['install', '--simulate', '--no-install-recommends', name])
  const planned = [...plan.output.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '').filter(Boolean)
  return planned.includes(name) ? planned : [name, ...KNOWN_DEPENDENCIES]
}

async function isListed(name: string): Promise<boolean> {
  return /^Filename:/m.test((await run('apt-cache', ['show', name])).output)
}

/** Whether any list was fetched: a package that every system lists stands for all of them. */
async function haveLists(): Promise<boolean> {
  return isListed('libc6')
}

/** Unpacks beside the final place and moves it there whole, so that a start killed here leaves nothing half-done. */
async function unpack(cacheDir: string, name: string, packages: readonly string[]): Promise<Unpacked | null> {
  mkdirSync(cacheDir, { recursive: true })
  const work = mkdtempSync(join(cacheDir, `.${name}-`))
  try {
    // One by one: a dependency that this release doesn't have must not keep the others away.
    for (const each of packages) await run('apt-get', ['download', each], { cwd: work })
    const root = join(work, 'root')
    mkdirSync(root)
    for (const file of readdirSync(work).filter((file) => file.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(work, file), root])
    }
    if (programIn(root, name) === null) return null
    const place = join(cacheDir, name)
    moveInto(root, place)
    return programIn(place, name)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Two starts may unpack at once: whoever comes second finds a complete one and takes that, unless it is broken. */
function moveInto(root: string, place: string): void {
  try {
    renameSync(root, place)
  } catch {
    const old = `${place}.old-${process.pid}`
    renameSync(place, old)
    renameSync(root, place)
    rmSync(old, { recursive: true, force: true })
  }
}

function programIn(root: string, name: string): Unpacked | null {
  const command = join(root, 'usr/bin', name)
  if (!existsSync(command)) return null
  const libraries = [join(root, 'usr/lib'), join(root, 'lib')].flatMap(foldersOf)
  return { command, libraryPath: libraries.join(':') }
}

/** Libraries lie in a folder named after the machine's type, `x86_64-linux-gnu`. */
function foldersOf(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return [folder, ...entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name))]
}
