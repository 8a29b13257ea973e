/** The mechanisms that fault tests switch off, each to show that some test notices. Edits of source text, checked to apply. */

export interface Edit {
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

/** Edits of one file. */
export interface Change {
  readonly file: string
  readonly edits: readonly Edit[]
}

export interface Mutation extends Change {
  readonly name: string
  /** What is switched off. */
  readonly what: string
  /** What would heal it, in another file: switched off as well. */
  readonly alsoIn?: Change
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

const ACKNOWLEDGE_FIRST: readonly Edit[] = [
  { find: 'await writer.write(mine)', replace: 'await deps.announce(commitsOf(mine))\n    await writer.write(mine)' },
]
const NO_WAY_BACK = {
  file: 'src/bus/scripts.ts',
  edits: inLua('ensure', 'ahead = isBefore(at,', 'ahead = false and isBefore(at,'),
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'acknowledge-before-commit',
    what: 'entries are acknowledged before Postgres has them, and no group is set back to what Postgres has',
    file: 'src/consumer/group-consumer.ts',
    edits: ACKNOWLEDGE_FIRST,
    alsoIn: NO_WAY_BACK,
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
    saying: /moved by a process that no longer owned it|are not what the log says/,
  },
  {
    name: 'no-epoch',
    what: 'a checkpoint is moved by whoever finds it at his position, whatever its epoch',
    file: 'src/store/checkpoint.ts',
    edits: [{ find: ' and c.owner_epoch = m.epoch', replace: '' }],
    caughtBy: 'test/faults/frozen-owner.test.ts',
    saying: /moved by a process that no longer owned it/,
  },
  {
    name: 'record-acknowledge-before-commit',
    what: 'entries are announced before the tables of projections have them',
    file: 'src/consumer/group-consumer.ts',
    edits: ACKNOWLEDGE_FIRST,
    caughtBy: 'test/orchestration/answered.test.ts',
    saying: /answered before the commit/,
  },
  {
    name: 'record-no-compare-and-set',
    what: 'what a process records counts, whoever owns the partition by then',
    file: 'src/consumer/commit-batch.ts',
    edits: [{ find: 'if (stale.length > 0) throw new StaleOwner(stale)', replace: '' }],
    caughtBy: 'test/faults/recorder.test.ts',
    saying: /differs from the log|are not what the log says/,
  },
  {
    name: 'record-rows-blindly',
    what: 'a row is written over what another owner made of it meanwhile',
    file: 'src/store/row-batch.ts',
    edits: [{ find: ' and t.xmin = u.written_by::xid`', replace: '`' }],
    caughtBy: 'test/consumer/recorder.test.ts',
    saying: /shared\.0/,
  },
  {
    name: 'record-repeats',
    what: 'what was appended a second time is recorded a second time',
    file: 'src/consumer/record-batch.ts',
    edits: [{ find: 'repeats.size === 0', replace: 'repeats.size >= 0' }],
    caughtBy: 'test/consumer/same-tables.test.ts',
    saying: /the table of /,
  },
  {
    name: 'fold-whatever',
    what: 'what a column refuses is found by Postgres alone',
    file: 'src/consumer/fold.ts',
    edits: [{ find: 'if (refusal) throw', replace: 'if (refusal && refusal === null) throw' }],
    caughtBy: 'test/rebuild/refused.test.ts',
    saying: /Expected values to be strictly|are not what the log says/,
  },
  {
    name: 'rebuild-drops-pieces',
    what: 'a rebuild that is gone on with takes the pieces that are not there for written',
    file: 'src/rebuild/bulk.ts',
    edits: [{ find: '!done.has(each)', replace: 'done.size === 0' }],
    alsoIn: {
      file: 'src/rebuild/check-new.ts',
      edits: [{ find: 'if (corrected !== 0 &&', replace: 'if (corrected !== corrected &&' }],
    },
    caughtBy: 'test/faults/rebuild-killed.test.ts',
    saying: /in_log/,
  },
  {
    name: 'rebuild-unverified',
    what: 'a new table takes the place of the live one whatever is in it',
    file: 'src/rebuild/check-new.ts',
    edits: [{ find: 'if (corrected !== 0 &&', replace: 'if (corrected !== corrected &&' }],
    caughtBy: 'test/rebuild/check-new.test.ts',
    saying: /Missing expected rejection/,
  },
  {
    name: 'rebuild-folds-again',
    what: 'a rebuild that died while its tables followed is taken for one that is still folding',
    file: 'src/rebuild/run.ts',
    edits: [{ find: 'partition === FOLLOWING)) return', replace: 'partition === FOLLOWING)) held.note({})' }],
    caughtBy: 'test/faults/rebuild-killed.test.ts',
    saying: /it was to die while it follows|it was to die when live rows|RebuildRefused|were written/,
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
    edits: [{ find: '        reading.lookBehind(due)\n', replace: '' }],
    caughtBy: 'test/consumer/group-consumer.test.ts',
    saying: /waited .* for the stolen entry to be applied/,
  },
  {
    name: 'trust-the-first',
    what: 'the first entry a new owner is given is taken for the next one',
    file: 'src/consumer/reading.ts',
    edits: [{ find: '!follows(partition, entry)', replace: 'partition.next !== null && !follows(partition, entry)' }],
    caughtBy: 'test/consumer/group-consumer.test.ts',
    saying: /Expected values to be strictly deep-equal/,
  },
  {
    name: 'apply-backwards',
    what: 'of what was read together the last is written first',
    file: 'src/consumer/persister.ts',
    edits: [
      {
        find: "entries.filter(({ kind }) => kind === 'events'),",
        replace: "entries.filter(({ kind }) => kind === 'events').toReversed(),",
      },
    ],
    caughtBy: 'test/faults/many-services.test.ts',
    saying: /events were applied out of order/,
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
    name: 'decide-blindly',
    what: 'a command is appended whatever was decided since its row was read',
    file: 'src/bus/scripts.ts',
    edits: inLua('append', "if actual and ARGV[10] ~= '' and actual ~= ARGV[10] then", 'if false then'),
    caughtBy: 'test/faults/orchestration.test.ts',
    saying: /was taken by|Expected values to be strictly equal/,
  },
  {
    name: 'decide-task-runs-blindly',
    what: 'a decision on a task run is appended whatever another server decided since its row was read',
    file: 'src/bus/guarded-append.ts',
    edits: [{ find: "known.last === null ? 'none' : formatEntryId(known.last.id)", replace: "''" }],
    caughtBy: 'test/faults/race.test.ts',
    saying: /task run, race/,
  },
  {
    name: 'decide-task-runs-early',
    what: 'a task run is decided on before the last decision on it is applied',
    file: 'src/orchestration/decide-alone.ts',
    edits: [{ find: '        await applied(last, until)\n', replace: '' }],
    caughtBy: 'test/faults/race.test.ts',
    saying: /task run, race/,
  },
  {
    name: 'no-pending-again',
    what: 'what was delivered to an owner that died is not read again',
    file: 'src/consumer/possession.ts',
    edits: [
      {
        find: "      mode: 'pending',\n      cursor: BEGINNING,",
        replace: "      mode: 'new',\n      cursor: BEGINNING,",
      },
    ],
    alsoIn: {
      file: 'src/consumer/reading.ts',
      edits: [{ find: '!follows(partition, entry)', replace: 'partition.next !== null && !follows(partition, entry)' }],
    },
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
  {
    name: 'checkpoint-went-back',
    what: 'a group goes on from where it had acknowledged, though Postgres was restored to before that',
    file: 'src/bus/scripts.ts',
    edits: inLua('ensure', "if setBack or ahead then redis.call('XGROUP'", "if setBack then redis.call('XGROUP'"),
    caughtBy: 'test/faults/restore.test.ts',
    saying: /waited .* for the events to be applied again/,
  },
  {
    name: 'trim-past-checkpoint',
    what: 'trimming believes acknowledgements alone',
    file: 'src/bus/scripts.ts',
    edits: inLua('trim', 'if upTo and (', 'if false and upTo and ('),
    caughtBy: 'test/contract/bus-trim.test.ts',
    saying: /an entry that the checkpoint does not know of was trimmed/,
  },
  {
    name: 'plain-index',
    what: 'indexes are built with writers kept out',
    file: 'src/store/schema/index-statement.ts',
    edits: [{ find: "['concurrently ', '']", replace: "['', '']" }],
    caughtBy: 'test/store/schema/upgrade.test.ts',
    saying: /waited .* for the build to wait for the writer/,
  },
  {
    name: 'no-upgrade-lock',
    what: 'two upgrades work at the same time',
    file: 'src/store/schema/upgrade-lock.ts',
    edits: [{ find: 'if (rows[0]?.taken) return true', replace: 'return true' }],
    caughtBy: 'test/store/schema/upgrade.test.ts',
    saying: /waited .* for the second to wait/,
  },
  {
    name: 'recorder-loses-alone',
    what: 'what the recorder lost is not brought on from the log',
    file: 'src/consumer/loss-ledger.ts',
    edits: [{ find: '      await handler.onLoss?.(client, [...standings.keys()])\n', replace: '' }],
    caughtBy: 'test/faults/flush-all.test.ts',
    saying: /are not what the log says/,
  },
  {
    name: 'lift-unfenced',
    what: 'a change of the partitions that was given up moves the groups all the same',
    file: 'src/bus/scripts.ts',
    edits: inLua('lift', 'if held[1] ~= ARGV[1] or not applied then', 'if false then'),
    caughtBy: 'test/faults/repartition.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'letters-stay',
    what: 'dead letters stay with their old partition when the number changes',
    file: 'src/consumer/repartition.ts',
    edits: [{ find: 'await houseLetters(client, partitions) // before', replace: '// before' }],
    caughtBy: 'test/faults/strict-order.test.ts',
    saying: /waited .* for events of the new partition to wait as well/,
  },
  {
    name: 'no-loss-ledger',
    what: 'what Redis lost is not written down',
    file: 'src/consumer/possession.ts',
    edits: [{ find: '      ledger.add(loss, epoch)\n', replace: '' }],
    caughtBy: 'test/faults/old-backup.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'ledger-of-anybody',
    what: 'a loss counts whoever saw it, and whenever',
    file: 'src/consumer/loss-ledger.ts',
    edits: [{ find: 'if (stale.length > 0) throw new StaleOwner(stale)', replace: '' }],
    caughtBy: 'test/faults/stale-look.test.ts',
    saying: /each loss is told once/,
  },
  {
    name: 'look-of-anybody',
    what: 'what a checkpoint says is compared with Redis by whoever has read it, and whenever, and what is seen is a loss',
    file: 'src/consumer/loss-ledger.ts',
    edits: [{ find: 'if (stale.length > 0) throw new StaleOwner(stale)', replace: '' }],
    alsoIn: {
      file: 'src/bus/scripts.ts',
      edits: inLua('ensure', "if ARGV[6] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[6] then", 'if false then'),
    },
    caughtBy: 'test/faults/stale-look.test.ts',
    saying: /nothing was lost/,
  },
  {
    name: 'copy-once',
    what: 'what comes between the copy and the exchange of a day is not looked for',
    file: 'src/store/retention/detach-day.ts',
    edits: [{ find: '    if (kept.length > 0) await completeCopy(client, day, kept)\n', replace: '' }],
    caughtBy: 'test/faults/retention.test.ts',
    saying: /late events that are to be kept are missing/,
  },
  {
    name: 'no-lock-limit',
    what: 'a day that is to leave waits for others as long as they take',
    file: 'src/store/brief-lock.ts',
    edits: [{ find: 'export const LOCK_MS = 40', replace: 'export const LOCK_MS = 0' }],
    caughtBy: 'test/retention/locks.test.ts',
    saying: /canceling statement due to statement timeout/,
  },
  {
    name: 'no-exchange-limit',
    what: 'what is done with the log locked takes as long as it takes',
    file: 'src/store/brief-lock.ts',
    edits: [{ find: 'export const EXCHANGE_MS = 80', replace: 'export const EXCHANGE_MS = 0' }],
    caughtBy: 'test/retention/locks.test.ts',
    saying: /canceling statement due to statement timeout/,
  },
  {
    name: 'drop-unarchived',
    what: 'a detached day that another process left behind is dropped at once',
    file: 'src/retention/prune.ts',
    edits: [
      {
        find: '() => finishDay(needs, day,',
        replace: '() => finishDay({ ...needs, archive: null }, day,',
      },
    ],
    caughtBy: 'test/faults/retention.test.ts',
    saying: /the process was to die (while|before|when) /,
  },
  {
    name: 'answer-before-append',
    what: 'senders are answered while their events are still in the memory of an API server',
    file: 'src/api/ingest.ts',
    edits: [
      {
        find: 'const { duplicates, entries } = await producer.append(events)',
        replace:
          'setTimeout(() => void producer.append(events).catch(() => {}), 200)\n' +
          '      const [duplicates, entries] = [new Set<number>(), [] as const]',
      },
    ],
    caughtBy: 'test/faults/kill-api.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'pong-at-once',
    what: 'a PONG waits for nothing',
    file: 'src/api/sockets/events-in.ts',
    edits: [{ find: 'if (working || !queue.isEmpty) arrived({ ping })', replace: 'if (gaveUp) arrived({ ping })' }],
    caughtBy: 'test/api/sockets/events-in.test.ts',
    saying: /PONG is withheld until every frame before the PING is taken.*strictly deep-equal/s,
  },
  {
    name: 'no-append-only-file',
    what: 'Redis keeps what it was given in memory alone',
    file: 'src/embedded/redis.ts',
    edits: [{ find: "appendonly: 'yes'", replace: "appendonly: 'no'" }],
    caughtBy: 'test/faults/kill-redis.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'persisted-without-proof',
    what: 'events are confirmed as persisted when they are no more than appended',
    file: 'src/api/ingest.ts',
    edits: [{ find: "if (ack === 'persisted') await confirm(", replace: 'if (nowMs() === 0) await confirm(' }],
    caughtBy: 'test/faults/flush-all.test.ts',
    saying: /acknowledged events are missing/,
  },
  {
    name: 'refuse-nothing',
    what: 'events are taken however many wait',
    file: 'src/bus/pressure.ts',
    edits: [{ find: 'if (events >= options.maxBacklogEvents || ', replace: 'if (' }],
    caughtBy: 'test/faults/overload.test.ts',
    saying: /waited .* for a 429/,
  },
  {
    name: 'scripts-forgotten',
    what: 'a script that Redis has forgotten is not given to it again',
    file: 'src/bus/scripts.ts',
    edits: [
      {
        find: 'return await redis.evalsha(script.sha, keys.length, ...keys, ...args)',
        replace:
          'const answer = await redis.evalsha(script.sha, keys.length, ...keys, ...args)\n' +
          '    given.add(name)\n    return answer',
      },
      { find: "startsWith('NOSCRIPT')))", replace: "startsWith('NOSCRIPT')) || given.has(name))" },
      { find: 'interface Script {', replace: 'const given = new Set<Name>()\n\ninterface Script {' },
    ],
    caughtBy: 'test/faults/redis-troubles.test.ts',
    saying: /waited .* for ingest to go on/,
  },
  {
    name: 'ticks-no-key',
    what: 'the ledger takes a tick twice',
    file: 'src/store/schema/files.ts',
    edits: [
      {
        find: "'utf8').replaceAll('\\r\\n', '\\n')",
        replace:
          "'utf8').replace('primary key (job, scheduled_for, origin)', 'check (true)')" +
          ".replace('create unique index tick_alone', 'create index on tick (job, scheduled_for, origin); create unique index tick_alone')",
      },
    ],
    caughtBy: 'test/faults/ticks.test.ts',
    saying: /ticks are wrong/,
  },
  {
    name: 'ticks-no-compare-and-set',
    what: 'ticks are emitted whoever was faster',
    file: 'src/bus/scripts.ts',
    edits: inLua('emit', 'elseif storedVersion == version and stored ~= expected then', 'elseif false then'),
    caughtBy: 'test/faults/ticks.test.ts',
    saying: /some more than once/,
  },
  {
    name: 'ticks-process-clock',
    what: 'a tick is due by the clock of whoever emits it',
    file: 'src/bus/scripts.ts',
    edits: inLua('emit', 'math.floor(time[2] / 1000)', 'math.floor(time[2] / 1000) + OFFSET').map((edit) => ({
      ...edit,
      replace: edit.replace.replace('+ OFFSET"', '+ " + Number(process.env["MILLRACE_TEST_CLOCK_OFFSET"] ?? 0)'),
    })),
    caughtBy: 'test/faults/ticks.test.ts',
    saying: /were emitted before their time/,
  },
  {
    name: 'ticks-no-fence',
    what: 'who held a tick writes its outcome, whoever holds it now',
    file: 'src/store/tick/hold.ts',
    edits: [
      { find: " and t.fence = w.fence and t.state = 'running'`", replace: '`' },
      { find: " and fence = $4 and state = 'running' for update`", replace: ' and $4::int8 is not null for update`' },
    ],
    caughtBy: 'test/faults/ticks.test.ts',
    saying: /ticks are wrong/,
  },
  {
    name: 'ticks-no-auditor',
    what: 'watermarks move over ticks that have no row',
    file: 'src/ticks/auditor.ts',
    edits: [
      { find: 'audits.flatMap((audit) => audit.open)', replace: 'audits.flatMap(() => [])' },
      { find: 'audits.flatMap((audit) => audit.skip)', replace: 'audits.flatMap(() => [])' },
    ],
    alsoIn: {
      file: 'src/ticks/audit-job.ts',
      edits: [
        {
          find: 'else firstOpenMs ??= scheduledForMs',
          replace: 'else if (isFinal === false) firstOpenMs ??= scheduledForMs',
        },
      ],
    },
    caughtBy: 'test/faults/ticks.test.ts',
    saying: /was due and has no row/,
  },
  {
    name: 'gate-open',
    what: 'tables are exchanged under a recorder that is at work',
    file: 'src/store/projection-gate.ts',
    edits: [{ find: '`select pg_advisory_xact_lock_shared($' + '{GATE});', replace: '`select 1;' }],
    caughtBy: 'test/rebuild/rebuild.test.ts',
    saying: /all of it by the new code/,
  },
  {
    name: 'left-and-forgotten',
    what: 'it is not noted where a table of another version was left',
    file: 'src/consumer/recorder.ts',
    edits: [{ find: 'if (left.length > 0) await noteLeft(client, RECORDER, left, partitions)', replace: '' }],
    caughtBy: 'test/faults/rebuild.test.ts',
    saying: /each event counts once, by the new code/,
  },
  {
    name: 'ticks-no-witness',
    what: 'a tick is run before it is due by the clock of Postgres',
    file: 'src/store/tick/claim.ts',
    edits: [
      {
        find: 'where w.scheduled_for <= m.now + interval',
        replace: "where w.scheduled_for <= 'infinity'::timestamptz + interval",
      },
    ],
    caughtBy: 'test/ticks/faults.test.ts',
    saying: /true !== false|Expected values to be strictly equal/,
  },
]

/** Every file that a mutation or a failpoint changes, with its edits. */
export function changesOf({ name, file, edits, alsoIn }: Pick<Mutation, 'name' | 'file' | 'edits' | 'alsoIn'>) {
  return [{ name, file, edits }, ...(alsoIn ? [{ name, ...alsoIn }] : [])]
}

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
