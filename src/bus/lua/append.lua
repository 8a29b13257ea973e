--[[
  Appends one record batch to a partition, without the events whose id was seen in the dedup window. Readers see the
  whole batch or nothing. Ids are remembered in two sets that take turns: the current one is filled, the other only asked;
  they change places when the current one is older than the window or full, so an id is remembered for at least one
  window (less only when more than `maxSeen` ids come within it) and memory stays bounded.

  KEYS[1]  stream     the partition's stream
  KEYS[2]  state      the partition's hash
  KEYS[3]  seenA      ids seen
  KEYS[4]  seenB      ids seen
  KEYS[5…] versions   optional: of each aggregate its number of events, or the entry with the last decision on it
  ARGV[1]  ids        16 bytes for each event; empty for records without an id (kind `rejected`)
  ARGV[2]  lengths    bytes of each record, 4 bytes each, big endian
  ARGV[3]  records    the records, one after another
  ARGV[4]  kind       `events` or `rejected`
  ARGV[5]  received   when the server took them
  ARGV[6]  days       the days on which they occurred, comma separated
  ARGV[7]  windowMs   how long an id is remembered at least
  ARGV[8]  maxSeen    most ids in one set
  ARGV[9]  layout     epoch of the layout by which the partition was chosen
  ARGV[10] expected   with KEYS[5]: version the writer read; any when it is empty, or the key is gone
  ARGV[11] versionTtl with KEYS[5]: milliseconds for which the version is kept
  ARGV[12] next       with KEYS[5]: the version from then on; `expected` and the events appended when empty; `entry` for
                      the id of the entry, which is then the version of all of KEYS[5…]
  An append that expects a version may be repeated, should its answer be lost: what was appended is told as duplicates.

  Returns  {'ok', entry id or '', events appended in all, {indices of duplicates, from 0}}
           {'conflict', actual version}     nothing written; the version as it was kept, a text
           {'moved', epoch}                 nothing written: the number of partitions has changed, or is about to
]]
local stream, state = KEYS[1], KEYS[2]
local ids, lengths, records = ARGV[1], ARGV[2], ARGV[3]
local count = #lengths / 4

local added = redis.call('HMGET', state, 'count', 'generation', 'layout')
local total, generation = tonumber(added[1] or 0), added[2]
if added[3] and added[3] ~= ARGV[9] then return {'moved', tonumber(added[3])} end

if KEYS[5] then
  local actual = redis.call('GET', KEYS[5])
  if actual and ARGV[10] ~= '' and actual ~= ARGV[10] then
    -- Perhaps by this very append, whose answer was lost: then all of it is there.
    local id = string.sub(ids, 1, 16)
    if redis.call('SISMEMBER', KEYS[3], id) == 0 and redis.call('SISMEMBER', KEYS[4], id) == 0 then
      return {'conflict', actual}
    end
    local all = {}
    for i = 1, count do all[i] = i - 1 end
    return {'ok', '', total, all}
  end
end

local duplicates = {}
local members, current
if #ids > 0 then
  local time = redis.call('TIME')
  local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
  local turn = redis.call('HMGET', state, 'seen', 'seenSince')
  local sides = {a = KEYS[3], b = KEYS[4]}
  local side, since = turn[1], tonumber(turn[2])
  if not side or nowMs - since >= tonumber(ARGV[7]) or redis.call('SCARD', sides[side]) >= tonumber(ARGV[8]) then
    side = side == 'a' and 'b' or 'a'
    redis.call('UNLINK', sides[side])
    redis.call('HSET', state, 'seen', side, 'seenSince', nowMs)
  end
  current = sides[side]
  members = {}
  for i = 1, count do members[i] = string.sub(ids, i * 16 - 15, i * 16) end
  local now = redis.call('SMISMEMBER', current, unpack(members))
  local before = redis.call('SMISMEMBER', side == 'a' and KEYS[4] or KEYS[3], unpack(members))
  local within = {}
  for i = 1, count do
    local id = members[i]
    if now[i] == 1 or before[i] == 1 or within[id] then duplicates[#duplicates + 1] = i - 1 end
    within[id] = true
  end
end

local kept = count - #duplicates
if kept == 0 then return {'ok', '', total, duplicates} end

if #duplicates > 0 then
  local keptLengths, keptRecords, keptMembers, at, skip = {}, {}, {}, 1, 1
  for i = 1, count do
    local a, b, c, d = string.byte(lengths, i * 4 - 3, i * 4)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    if duplicates[skip] == i - 1 then
      skip = skip + 1
    else
      keptLengths[#keptLengths + 1] = string.sub(lengths, i * 4 - 3, i * 4)
      keptRecords[#keptRecords + 1] = string.sub(records, at, at + length - 1)
      keptMembers[#keptMembers + 1] = members[i]
    end
    at = at + length
  end
  lengths, records, members = table.concat(keptLengths), table.concat(keptRecords), keptMembers
end

if not added[3] then redis.call('HSET', state, 'layout', ARGV[9]) end
local isBorn = not generation
if isBorn then
  local time = redis.call('TIME')
  generation = string.format('%d.%06d', time[1], time[2])
  redis.call('HSET', state, 'generation', generation)
end
-- The entry first: should Redis refuse it for want of memory, no id is remembered of what is not there.
local entry = redis.call('XADD', stream, '*', 'kind', ARGV[4], 'received', ARGV[5], 'first', total, 'days', ARGV[6],
  'generation', generation, 'lengths', lengths, 'records', records)
redis.call('HSET', state, 'count', total + kept)
if isBorn then
  -- The id before that of the entry: what a group had applied before is of a life of the stream before this one.
  local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  if seq > 0 then seq = seq - 1 else ms, seq = ms - 1, 9007199254740991 end
  redis.call('HSET', state, 'begins', string.format('%.0f-%.0f', ms, seq))
end
if members then redis.call('SADD', current, unpack(members)) end
for i = 5, #KEYS do
  local next = ARGV[12]
  if next == 'entry' then next = entry elseif next == '' then next = tonumber(ARGV[10]) + kept end
  redis.call('SET', KEYS[i], next, 'PX', ARGV[11])
end
return {'ok', entry, total + kept, duplicates}
