/** The mechanisms that fault tests switch off, each to show that some test notices. Edits of source text, checked to apply. */

export interface Edit {
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

export interface Mutation {
  readonly name: string
  /** What is switched off. */
  readonly what: string
  readonly file: string
  readonly edits: readonly Edit[]
  /** The test that has to fail, and what its failure has to say. */
  readonly caughtBy: string
  readonly saying: RegExp
}

/** The scripts of `bus/lua/` are read by `scripts.ts`: an edit of one is an edit of what it reads. */
function inLua(script: string, find: string, replace: string): Edit[] {
  const [found, made] = [JSON.stringify(find), JSON.stringify(replace)]
  return [
    { find: '  const text = read', replace: '  const original = read' },
    {
      find: '  return { text, sha',
      replace:
        `  if (name === '${script}' && original.split(${found}).length !== 2) throw new Error('the mutation no longer fits')\n` +
        `  const text = name === '${script}' ? original.replace(${found}, () => ${made}) : original\n` +
        '  return { text, sha',
    },
  ]
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'acknowledge-before-commit',
    what: 'entries are acknowledged before Postgres has them',
    file: 'src/consumer/group-consumer.ts',
    edits: [
      {
        find: 'await writer.write(mine)',
        replace: 'await deps.announce(commitsOf(mine))\n    await writer.write(mine)',
      },
    ],
    caughtBy: 'test/faults/kill-postgres.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'no-compare-and-set',
    what: 'a checkpoint is moved by whoever comes, whatever its epoch and position',
    file: 'src/store/checkpoint.ts',
    edits: [
      { find: ' and c.owner_epoch = m.epoch', replace: '' },
      { find: 'and c.entry_ms = m.from_ms and c.entry_seq = m.from_seq', replace: '' },
    ],
    caughtBy: 'test/faults/frozen-owner.test.ts',
    saying: /moved by a process that no longer owned it/,
  },
  {
    name: 'no-idle-limit',
    what: 'a process frozen inside a transaction keeps it',
    file: 'src/store/transaction.ts',
    edits: [
      { find: ', `idle_in_transaction_session_timeout = $' + '{IDLE_MS}`', replace: '' },
      { find: 'if (limit > 0 && (await', replace: 'if (limit < 0 && (await' }, // else the limit on a transaction ends it
    ],
    caughtBy: 'test/faults/frozen-owner.test.ts',
    saying: /waited .* for another to go on while it sleeps/,
  },
  {
    name: 'no-look-behind',
    what: 'what a stale owner was given last is left to it',
    file: 'src/consumer/group-consumer.ts',
    edits: [{ find: '        lookBehind()\n', replace: '' }],
    caughtBy: 'test/consumer/group-consumer.test.ts',
    saying: /waited .* for the stolen entry to be applied/,
  },
  {
    name: 'no-dedup',
    what: 'ids seen before are appended again',
    file: 'src/bus/scripts.ts',
    edits: inLua('append', 'if now[i] == 1 or before[i] == 1 or within[id] then', 'if false then'),
    caughtBy: 'test/faults/same-batch-twice.test.ts',
    saying: /appended more than once/,
  },
  {
    name: 'no-pending-again',
    what: 'what was delivered to an owner that died is not read again',
    file: 'src/consumer/group-consumer.ts',
    edits: [
      {
        find: "      mode: 'pending',\n      cursor: BEGINNING,",
        replace: "      mode: 'new',\n      cursor: BEGINNING,",
      },
    ],
    caughtBy: 'test/faults/kill-services.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'max-length',
    what: 'XADD trims the stream to a length',
    file: 'src/bus/scripts.ts',
    edits: inLua('append', "redis.call('XADD', stream, '*',", "redis.call('XADD', stream, 'MAXLEN', 5, '*',"),
    caughtBy: 'test/faults/postgres-away.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'text-ids',
    what: 'trimming compares entry ids as text',
    file: 'src/bus/scripts.ts',
    edits: inLua(
      'trim',
      'if not safeMs or ms < safeMs or (ms == safeMs and seq < safeSeq) then',
      "if not safeMs or string.format('%.0f-%.0f', ms, seq) < string.format('%.0f-%.0f', safeMs, safeSeq) then",
    ),
    caughtBy: 'test/contract/bus-trim.test.ts',
    saying: /an entry that a group still needs was trimmed/,
  },
  {
    name: 'group-at-the-end',
    what: 'a group that is gone is made again at the end of the stream',
    file: 'src/bus/scripts.ts',
    edits: inLua('ensure', "'CREATE', stream, name, at, 'MKSTREAM')", "'CREATE', stream, name, '$', 'MKSTREAM')"),
    caughtBy: 'test/faults/group-destroyed.test.ts',
    saying: /acknowledged events are missing/,
  },
]

/** @throws Error that lists the names there are */
export function mutationNamed(name: string): Mutation {
  const found = MUTATIONS.find((mutation) => mutation.name === name)
  if (found) return found
  throw new Error(`no mutation '${name}': there are ${MUTATIONS.map((mutation) => mutation.name).join(', ')}`)
}

/** @throws Error when an edit does not fit the source any more: a mutation that changes nothing proves nothing */
export function mutate(source: string, edits: readonly Edit[], name: string): string {
  let text = source
  for (const { find, replace } of edits) {
    if (text.split(find).length !== 2) throw new Error(`the mutation '${name}' no longer fits: ${find}`)
    text = text.replace(find, () => replace)
  }
  return text
}
