--[[
  Says that a process of a group is alive and how many partitions it has, forgets those that are not alive, and returns who is.

  KEYS[1]  members   sorted set: process → Redis time in ms at which it counts as gone
  KEYS[2]  held      hash: process → how many partitions it has
  ARGV[1]  member
  ARGV[2]  ttlMs     0 takes the member out at once
  ARGV[3]  count     of the partitions that it has
  Returns  names of the live members: those with more partitions first, then by name
]]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(ARGV[2]) > 0 then
  redis.call('ZADD', KEYS[1], nowMs + ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs)

local members, counts = redis.call('ZRANGE', KEYS[1], 0, -1), {}
for _, member in ipairs(members) do counts[member] = 0 end
local held = redis.call('HGETALL', KEYS[2])
for i = 1, #held, 2 do
  if counts[held[i]] then counts[held[i]] = tonumber(held[i + 1]) else redis.call('HDEL', KEYS[2], held[i]) end
end
table.sort(members, function(a, b)
  if counts[a] ~= counts[b] then return counts[a] > counts[b] end
  return a < b
end)
return members
