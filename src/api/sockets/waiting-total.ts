/** What waits at all sockets of a process together: each has a bound of its own, and many of them would be too much. */
export class WaitingTotal {
  items = 0
  bytes = 0

  add(items: number, bytes: number): void {
    this.items += items
    this.bytes += bytes
  }

  remove(items: number, bytes: number): void {
    this.add(-items, -bytes)
  }
}
