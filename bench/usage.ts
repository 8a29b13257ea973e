/** What processes used, from /proc: CPU seconds so far and the most memory they ever had. */
import { readdirSync, readFileSync } from 'node:fs'

const TICKS = 100

export interface Usage {
  readonly cpuSeconds: number
  readonly peakMb: number
}

/** Of a process alone. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
    peakMb: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024,
  }
}

/** Of a process and its children, such as a Postgres and its backends; those that ended count through their parent. */
export function usageOfFamily(pid: number): Usage {
  const members = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && (Number(name) === pid || parentOf(name) === pid),
  )
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ended = (Number(fields[13]) + Number(fields[14])) / TICKS
  const usages = members.flatMap((member) => {
    try {
      return [usageOf(Number(member))]
    } catch {
      return [] // a backend that ended in between
    }
  })
  return {
    cpuSeconds: ended + usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    peakMb: Math.max(...usages.map(({ peakMb }) => peakMb)),
  }
}

function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return -1 // it ended in between
  }
}
