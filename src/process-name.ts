import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'

/** A name for this process that no other has, nor this one after its next start: `host-pid-` and 8 hexadecimal digits. */
export function newProcessName(): string {
  return `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
}
