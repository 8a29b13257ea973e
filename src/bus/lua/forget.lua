--[[
  Removes a consumer group from one partition, unless a process holds its lease at this moment.

  KEYS[1]  stream
  KEYS[2]  state
  KEYS[3]  lease
  ARGV[1]  group
  Returns  {'owned', by whom}        nothing was removed
           {'ok', 1 when there was such a group, else 0}
]]
local owner = redis.call('GET', KEYS[3])
if owner then return {'owned', owner} end
local applied = redis.call('HDEL', KEYS[2], 'done:' .. ARGV[1])
local destroyed = 0
if redis.call('EXISTS', KEYS[1]) == 1 then destroyed = redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1]) end
return {'ok', math.max(applied, destroyed)}
