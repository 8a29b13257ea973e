--[[
  Makes a partition ready for a group that has applied it up to a checkpoint. Where the group or the stream is missing it
  is made at the checkpoint, never at the stream's end. Where Redis has come back with an older state (a failover to a
  replica that lagged, a backup), ids and running numbers are raised above the checkpoint, since what came up to it is
  applied and a new entry must not look like it; and the group goes on behind it. Where Postgres has come back with an
  older state, the group has acknowledged what the checkpoint doesn't know: it is set back, so that what is left of it is
  delivered again. All of that hides what was lost, so on demand it is only told at first.

  The numbers of events tell of any other hole: the first event behind the checkpoint has the number of events applied.
  Each life of a stream has a place where it begins. A checkpoint before that place, of a group that is gone, is of a life
  before, whatever the numbers say: they begin with 0 each time.

  KEYS[1]  stream
  KEYS[2]  state
  KEYS[3]  lease       the right to read the partition
  ARGV[1]  group
  ARGV[2]  ms          the checkpoint
  ARGV[3]  seq
  ARGV[4]  eventCount  events applied up to it
  ARGV[5]  look        1: where something is lost change nothing, but for the note of where this life of the stream begins
  ARGV[6]  owner       who has to hold the lease: his checkpoint may be old otherwise; empty when nobody has to
  Returns  false when somebody else holds the lease, or nobody does; else
           {1 when the group was missing, '' or 'flushed' or 'rolled_back' or 'missing', last id found, group's last delivered
            id found or '', id of the first entry behind the checkpoint or '', number of the first event behind it, now in ms,
            id behind which this life of the stream begins, or '' when that is not known}
]]
local stream, state, name = KEYS[1], KEYS[2], ARGV[1]
local ms, seq, eventCount = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local at = ARGV[2] .. '-' .. ARGV[3]
if ARGV[6] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[6] then return false end

local function isBefore(id, otherMs, otherSeq)
  local idMs, idSeq = string.match(id, '^(%d+)-(%d+)$')
  idMs, idSeq = tonumber(idMs), tonumber(idSeq)
  return idMs < otherMs or (idMs == otherMs and idSeq < otherSeq)
end

local function field(list, wanted)
  for i = 1, #list, 2 do if list[i] == wanted then return list[i + 1] end end
end

local existed = redis.call('EXISTS', stream) == 1
local last, delivered = '0-0', ''
if existed then
  last = field(redis.call('XINFO', 'STREAM', stream), 'last-generated-id')
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    if field(info, 'name') == name then delivered = field(info, 'last-delivered-id') end
  end
end
local missing = delivered == ''
-- A group is delivered before it applies, so one that has applied more than it was given was set back, alone or with all.
local setBack = not missing and isBefore(delivered, ms, seq)
local known = redis.call('HMGET', state, 'count', 'generation', 'begins')
-- Where this life begins nothing came before: a group that has passed to there, and made no stream yet, has lost nothing more.
local isAtBeginning = at == known[3]
local older = isBefore(last, ms, seq) and not isAtBeginning
local anew = not existed or not known[2] -- another group may have made the stream again already
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local begins = known[3] or ''
if not known[2] then
  -- Of the millisecond before: what is appended in this one, where nothing is made yet, must come behind it.
  begins = string.format('%.0f-0', nowMs - 1)
  redis.call('HSET', state, 'generation', string.format('%d.%06d', time[1], time[2]), 'begins', begins)
end
local isBehindBeginning, isEmptyLife = true, false
if begins ~= '' then
  local beginsMs, beginsSeq = string.match(begins, '^(%d+)-(%d+)$')
  isBehindBeginning = not isBefore(at, tonumber(beginsMs), tonumber(beginsSeq))
  isEmptyLife = isBefore(last, tonumber(beginsMs), tonumber(beginsSeq))
end
local isOfLifeBefore = missing and at ~= '0-0' and not isBehindBeginning
local cause = ''
if isOfLifeBefore then cause = 'flushed' elseif older then cause = anew and 'flushed' or 'rolled_back' end
local count = known[1] or '0'
local uncounted = older and not anew and tonumber(count) < eventCount
if uncounted then count = ARGV[4] end
-- What the group has still to apply begins with the first entry behind the checkpoint; the backlog is counted from there.
local next = redis.call('XRANGE', stream, '(' .. at, '+', 'COUNT', 1)[1]
local first = count
if next then first = field(next[2], 'first') or '' end -- '' in an entry that somebody else wrote
-- What was delivered behind the checkpoint is pending until it is applied. Where it isn't, the checkpoint went back.
local ahead = false
if not missing and not setBack then
  local behind = next and next[1] or last
  local deliveredMs, deliveredSeq = string.match(delivered, '^(%d+)-(%d+)$')
  ahead = isBefore(at, tonumber(deliveredMs), tonumber(deliveredSeq))
    and isBefore(behind, tonumber(deliveredMs), tonumber(deliveredSeq) + 1)
    and #redis.call('XPENDING', stream, name, next and next[1] or '(' .. at, next and next[1] or '+', 1) == 0
end
-- A group that comes late finds what is left for it: nothing of that is lost.
local late = eventCount == 0 and at == '0-0' and not ahead
if cause == '' and first ~= '' and not late then
  local number = tonumber(first)
  if number ~= eventCount then
    if anew then cause = 'flushed'
    elseif number > eventCount then cause = 'missing'
    else cause = missing and 'flushed' or 'rolled_back' end
  end
end

local found = {missing and 1 or 0, cause, last, delivered, next and next[1] or '', first, nowMs, begins}
if cause ~= '' and ARGV[5] == '1' then return found end

if missing then redis.call('XGROUP', 'CREATE', stream, name, at, 'MKSTREAM') end
if isEmptyLife and (isAtBeginning or not isBehindBeginning) then
  redis.call('XSETID', stream, begins)
elseif older then
  -- Behind the last place of a millisecond (`idBefore`) Redis would count on, beyond what a number can hold.
  redis.call('XSETID', stream, seq < 9007199254740991 and at or string.format('%.0f-0', ms + 1))
end
if uncounted then redis.call('HSET', state, 'count', count) end
if ahead then
  -- What is pending comes again with the rest, in order.
  repeat
    local pending = redis.call('XPENDING', stream, name, '(' .. at, '+', 500)
    local ids = {}
    for i, entry in ipairs(pending) do ids[i] = entry[1] end
    if #ids > 0 then redis.call('XACK', stream, name, unpack(ids)) end
  until #ids == 0
end
if setBack or ahead then redis.call('XGROUP', 'SETID', stream, name, at) end
if first ~= '' then redis.call('HSET', state, 'done:' .. name, first) end
return found
