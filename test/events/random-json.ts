/** JSON that no serializer would write: odd whitespace, escapes, duplicate and escaped names, long numbers. */
export class RandomJson {
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  /** An array of objects, and other values now and then; most objects have members called `name`. */
  array(name: string): string {
    const elements = this.times(5, () => (this.chance(0.9) ? this.object(name, 0) : this.value(name, 3)))
    return `${this.space()}[${this.space()}${elements.join(`${this.space()},${this.space()}`)}${this.space()}]${this.space()}`
  }

  /** An object; `level` bounds how deep it goes. */
  object(name: string, level: number): string {
    const members = this.times(5, () => {
      const key = this.chance(0.4) ? this.quoted(name) : this.string()
      return `${key}${this.space()}:${this.space()}${this.value(name, level + 1)}`
    })
    return `{${this.space()}${members.join(`${this.space()},${this.space()}`)}${this.space()}}`
  }

  /** Any value. */
  value(name: string, level: number): string {
    const kind = this.pick(level < 4 ? 7 : 4)
    if (kind === 0) return this.string()
    if (kind === 1) return ['true', 'false', 'null'][this.pick(3)] as string
    if (kind <= 3) return this.number()
    if (kind === 4) {
      const elements = this.times(4, () => this.value(name, level + 1))
      return `[${this.space()}${elements.join(`${this.space()},`)}${this.space()}]`
    }
    return this.object(name, level)
  }

  private number(): string {
    const digits = this.times(30, () => String(this.pick(10))).join('')
    const whole = `${this.chance(0.3) ? '-' : ''}1${digits}`
    return this.chance(0.5) ? whole : `${whole}.${digits}0${this.chance(0.3) ? 'E-12' : ''}`
  }

  private string(): string {
    const parts = ['a', 'payload', '\\"', '\\\\', '\\/', '\\n', '{', '}', '[', ']', ',', ':', 'é', '漢', '😀']
    const escapes = ['\\u0041', '\\u0000', '\\ud83d\\ude00', '\\ud800', '\\u005c', '\\u0022', '\u2028', '\x7f']
    const all = [...parts, ...escapes]
    return `"${this.times(6, () => all[this.pick(all.length)] as string).join('')}"`
  }

  /** A name, once in a while with an escape in it. */
  private quoted(name: string): string {
    if (this.chance(0.95)) return `"${name}"`
    return `"\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}"`
  }

  private space(): string {
    return this.times(3, () => ' \n\r\t'[this.pick(4)] as string).join('')
  }

  private times<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.pick(most + 1) }, make)
  }

  private pick(below: number): number {
    return Math.floor(this.random() * below)
  }

  private chance(of: number): boolean {
    return this.random() < of
  }
}
