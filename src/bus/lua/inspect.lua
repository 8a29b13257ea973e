--[[
  Looks at one partition: the stream, its groups, and where each group's first entry that is not applied yet stands.
  Entries stay in Redis; only their ids come back.

  KEYS[1]  stream
  KEYS[2]  state
  ARGV[1]  samples   nodes of the stream of which the memory is measured; the rest is estimated
  ARGV[2…] group, position: what the group has applied, for groups where that is known
  Returns  {Redis time in ms, length, bytes, first id or '', last id or '', events appended, {group, …}}
           each group: {name, events applied, entries pending, oldest pending or '', last delivered, entries not
           delivered or -1 when Redis does not know, first entry not applied or ''}
]]
local stream, state = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local count = tonumber(redis.call('HGET', state, 'count') or 0)
if redis.call('EXISTS', stream) == 0 then return {nowMs, 0, 0, '', '', count, {}} end

local function fields(list)
  local named = {}
  for i = 1, #list, 2 do named[list[i]] = list[i + 1] end
  return named
end

-- Of this range only the first id is wanted; it is the only entry that is read.
local function firstId(from)
  local entry = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
  return entry and entry[1] or ''
end

local applied = {}
for i = 2, #ARGV, 2 do applied[ARGV[i]] = ARGV[i + 1] end

local groups = {}
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = fields(info)
  local name = group['name']
  local oldest = ''
  if group['pending'] > 0 then oldest = redis.call('XPENDING', stream, name)[2] end
  local waiting
  if applied[name] then waiting = firstId('(' .. applied[name])
  elseif oldest ~= '' then waiting = firstId(oldest)
  else waiting = firstId('(' .. group['last-delivered-id']) end
  groups[#groups + 1] = {name, tonumber(redis.call('HGET', state, 'done:' .. name) or 0), group['pending'], oldest,
    group['last-delivered-id'], group['lag'] or -1, waiting}
end

local info = fields(redis.call('XINFO', 'STREAM', stream))
local bytes = redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', ARGV[1]) or 0
local first, last = info['first-entry'], info['last-entry']
return {nowMs, info['length'], bytes, first and first[1] or '', last and last[1] or '', count, groups}
