--[[
  Lifts the last id of a partition, and that of its groups, for a change of the layout. Only while the partition is held for
  this change, so that nothing can have been appended since all was applied; a change that was given up lifts nothing.

  KEYS[1]  stream
  KEYS[2]  state
  ARGV[1]  epoch    that of the change
  ARGV[2]  id       the greatest last id of all partitions
  ARGV[3…] groups
  Returns  1; 0 when the partition isn't held for this change any more, or a group has not applied everything
]]
local stream, state, id = KEYS[1], KEYS[2], ARGV[2]
local held = redis.call('HMGET', state, 'layout', 'count')
local applied = true
for i = 3, #ARGV do
  local done = redis.call('HGET', state, 'done:' .. ARGV[i])
  applied = applied and tonumber(done or 0) >= tonumber(held[2] or 0)
end
if held[1] ~= ARGV[1] or not applied then return 0 end

local there = {}
if redis.call('EXISTS', stream) == 1 then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    for i = 1, #info, 2 do
      if info[i] == 'name' then there[info[i + 1]] = true end
    end
  end
end
for i = 3, #ARGV do
  if not there[ARGV[i]] then redis.call('XGROUP', 'CREATE', stream, ARGV[i], id, 'MKSTREAM') end
end
local ms, seq = string.match(id, '^(%d+)-(%d+)$')
local info = redis.call('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then
    local lastMs, lastSeq = string.match(info[i + 1], '^(%d+)-(%d+)$')
    lastMs, lastSeq, ms, seq = tonumber(lastMs), tonumber(lastSeq), tonumber(ms), tonumber(seq)
    if lastMs < ms or (lastMs == ms and lastSeq < seq) then redis.call('XSETID', stream, id) end
  end
end
for i = 3, #ARGV do redis.call('XGROUP', 'SETID', stream, ARGV[i], id) end
return 1
