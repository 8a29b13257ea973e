/** The system's own package manager: how Redis is installed with it, for the sentence to the user or by ourselves. */
import { readFileSync } from 'node:fs'
import { run } from './run-command.ts'

/** By the ids in os-release(5), `ID` before `ID_LIKE`. Names differ where a distribution has moved on to Valkey. */
const BY_SYSTEM: Readonly<Record<string, readonly string[]>> = {
  debian: ['apt-get', 'install', '-y', 'redis-server'],
  ubuntu: ['apt-get', 'install', '-y', 'redis-server'],
  fedora: ['dnf', 'install', '-y', 'valkey'],
  rhel: ['dnf', 'install', '-y', 'redis'],
  amzn: ['dnf', 'install', '-y', 'valkey'],
  alpine: ['apk', 'add', 'redis'],
  suse: ['zypper', '--non-interactive', 'install', 'redis'],
  arch: ['pacman', '-S', '--noconfirm', 'valkey'],
}

const isRoot = (): boolean => process.getuid?.() === 0

/** What a person types on this system to get a redis-server. */
export function installCommand(): string {
  if (process.platform === 'darwin') return 'brew install redis'
  const command = commandFor(readOsRelease())
  if (command === null) return "install redis-server with your system's package manager"
  return `${isRoot() ? '' : 'sudo '}${command.join(' ')}`
}

/** Installs Redis when we are root and know how. False when that was not possible. */
export async function installPackage(log: (line: string) => void): Promise<boolean> {
  const command = process.platform === 'linux' && isRoot() ? commandFor(readOsRelease()) : null
  const [program, ...args] = command ?? []
  if (program === undefined) return false
  log(`Installing redis-server with '${[program, ...args].join(' ')}'.`)
  return (await run(program, args, { env: { DEBIAN_FRONTEND: 'noninteractive' } })).ok
}

/** @param osRelease the text of /etc/os-release; empty when the system has none */
export function commandFor(osRelease: string): readonly string[] | null {
  const value = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? ''
  const ids = `${value('ID')} ${value('ID_LIKE')}`.split(/\s+/).map((id) => (id.startsWith('opensuse') ? 'suse' : id))
  for (const id of ids) {
    const command = BY_SYSTEM[id]
    if (command !== undefined) return command
  }
  return null
}

function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8')
  } catch {
    return ''
  }
}
