--[[
  Raises the epoch by which appends to a partition have to be chosen. It never goes back: who is late changes nothing.

  KEYS[1]  state
  ARGV[1]  epoch
  Returns  the epoch that holds
]]
local held = tonumber(redis.call('HGET', KEYS[1], 'layout') or 0)
local epoch = tonumber(ARGV[1])
if held >= epoch then return held end
redis.call('HSET', KEYS[1], 'layout', ARGV[1])
return epoch
