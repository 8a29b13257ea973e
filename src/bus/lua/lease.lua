--[[
  Takes or renews the right to be a group's only reader of a partition. Time is Redis' own.

  KEYS[1]  lease
  ARGV[1]  owner   who asks
  ARGV[2]  ttlMs   how long the lease lasts
  Returns  1 when the asker holds it now, else 0
]]
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
