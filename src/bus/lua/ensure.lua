--[[
  Makes a partition ready for a group that has applied it up to a checkpoint. Where the group or the stream is missing it
  is made at the checkpoint, never at the stream's end. Where Redis has come back with an older state (a failover to a
  replica that lagged, a backup), ids and running numbers are raised above the checkpoint, since what came up to it is
  applied and a new entry must not look like it; and the group goes on behind it.

  KEYS[1]  stream
  KEYS[2]  state
  ARGV[1]  group
  ARGV[2]  ms          the checkpoint
  ARGV[3]  seq
  ARGV[4]  eventCount  events applied up to it
  Returns  {1 when the group was made, '' or 'flushed' or 'rolled_back' or 'missing', last id found, group's last delivered id
            found or '', id of the first entry behind the checkpoint or '', number of the first event behind it}
]]
local stream, state, name = KEYS[1], KEYS[2], ARGV[1]
local ms, seq, eventCount = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local at = ARGV[2] .. '-' .. ARGV[3]

local function isBefore(id)
  local idMs, idSeq = string.match(id, '^(%d+)-(%d+)$')
  idMs, idSeq = tonumber(idMs), tonumber(idSeq)
  return idMs < ms or (idMs == ms and idSeq < seq)
end

local function field(list, wanted)
  for i = 1, #list, 2 do if list[i] == wanted then return list[i + 1] end end
end

local existed = redis.call('EXISTS', stream) == 1
local delivered = ''
if existed then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    if field(info, 'name') == name then delivered = field(info, 'last-delivered-id') end
  end
end
local made = delivered == ''
if made then redis.call('XGROUP', 'CREATE', stream, name, at, 'MKSTREAM') end

local last = field(redis.call('XINFO', 'STREAM', stream), 'last-generated-id')
local cause = ''
if isBefore(last) then
  cause = existed and 'rolled_back' or 'flushed'
  redis.call('XSETID', stream, at)
  local known = redis.call('HMGET', state, 'count', 'generation')
  if known[2] and tonumber(known[1] or 0) < eventCount then redis.call('HSET', state, 'count', ARGV[4]) end
end
-- A group is delivered before it applies, so one that has applied more than it was given was set back, alone or with all.
local setBack = not made and isBefore(delivered)
if setBack then redis.call('XGROUP', 'SETID', stream, name, at) end

-- What the group has still to apply begins with the first entry behind the checkpoint; the backlog is counted from there.
local next = redis.call('XRANGE', stream, '(' .. at, '+', 'COUNT', 1)[1]
local first = redis.call('HGET', state, 'count') or '0'
if next then first = field(next[2], 'first') or '' end -- '' in an entry that somebody else wrote
if first ~= '' then
  redis.call('HSET', state, 'done:' .. name, first)
  -- The group is gone or was set back: was that all, or did the events' numbers go back with it, or skip some?
  local number = tonumber(first)
  if (made or setBack) and cause == '' and eventCount > 0 and number ~= eventCount then
    cause = number > eventCount and 'missing' or made and 'flushed' or 'rolled_back'
  end
end
return {made and 1 or 0, cause, last, delivered, next and next[1] or '', first}
