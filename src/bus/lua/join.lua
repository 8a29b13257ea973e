--[[
  Says that a process of a group is alive, forgets those that are not, and returns who is.

  KEYS[1]  members   sorted set: process → Redis time in ms at which it counts as gone
  ARGV[1]  member
  ARGV[2]  ttlMs     0 takes the member out at once
  Returns  names of the live members, sorted
]]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(ARGV[2]) > 0 then
  redis.call('ZADD', KEYS[1], nowMs + ARGV[2], ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs)
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
return members
