--[[
  Acknowledges entries that a group has committed to Postgres, and tells whoever waits for them.

  KEYS[1]  stream
  KEYS[2]  state
  ARGV[1]  group
  ARGV[2]  done      events applied by the group, counted from the stream's beginning
  ARGV[3]  generation of the entries; a count of another life of the stream is not taken over
  ARGV[4…] entry ids
  Returns  number of entries acknowledged
]]
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 4))
local state = redis.call('HMGET', KEYS[2], 'generation', 'done:' .. ARGV[1])
if state[1] == ARGV[3] and tonumber(ARGV[2]) > tonumber(state[2] or 0) then
  redis.call('HSET', KEYS[2], 'done:' .. ARGV[1], ARGV[2])
end
return acknowledged
