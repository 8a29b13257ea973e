--[[
  Removes the entries that every group has acknowledged, and no other. The safe id is the lowest, over all groups, of the
  oldest pending entry, else the entry behind the last delivered one; a group that never read holds everything.
  Ids are compared as two integers: as text, `5-20` is before `5-9`. What a group has acknowledged beyond its checkpoint
  stays: Postgres has come back with an older state, and the group will want it again.

  KEYS[1]  stream
  ARGV[1]  groups     durable groups that must exist, comma separated; when one is missing nothing is removed
  ARGV[2]  graceMs    entries younger than this stay for live readers
  ARGV[3]  limit      most entries removed by this call
  ARGV[4…] group, ms, seq   of each group that has a checkpoint: up to there it has applied the stream
  Returns  {removed, safe id or '', group that holds it}
]]
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return {0, '', ''} end

local function parse(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local missing = {}
for name in string.gmatch(ARGV[1], '[^,]+') do missing[name] = true end
local applied = {}
for i = 4, #ARGV, 3 do applied[ARGV[i]] = {tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]) + 1} end
local safeMs, safeSeq, holder
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = {}
  for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
  missing[group['name']] = nil
  local ms, seq
  if group['pending'] > 0 then
    ms, seq = parse(redis.call('XPENDING', stream, group['name'])[2])
  else
    ms, seq = parse(group['last-delivered-id'])
    seq = seq + 1
  end
  local upTo = applied[group['name']]
  if upTo and (upTo[1] < ms or (upTo[1] == ms and upTo[2] < seq)) then ms, seq = upTo[1], upTo[2] end
  if not safeMs or ms < safeMs or (ms == safeMs and seq < safeSeq) then
    safeMs, safeSeq, holder = ms, seq, group['name']
  end
end
for name in pairs(missing) do return {0, '0-0', name} end
if not safeMs then return {0, '', ''} end

local time = redis.call('TIME')
local graceMs = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[2])
if graceMs < safeMs then safeMs, safeSeq = graceMs, 0 end
local safe = string.format('%.0f-%.0f', safeMs, safeSeq)
-- Whole macro nodes only (`~`): cheap, and what is left over goes with the next call.
return {redis.call('XTRIM', stream, 'MINID', '~', safe, 'LIMIT', ARGV[3]), safe, holder}
