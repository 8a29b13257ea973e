--[[
  Changes the layout: how many partitions there are, and since which epoch. A change is begun by one, who holds a token,
  and settled by him with the new layout, or by anybody with the old one once the change has run out of time.

  KEYS[1]  layout
  ARGV[1]  step       begin, settle or abandon
  ARGV[2]  token      begin: the new one; settle: the one that was begun with
  ARGV[3]  begin: how long the change may take, in ms; settle: the number of partitions
  ARGV[4]  settle: the epoch
  Returns  1 when it was done; 0 when somebody else is at it (begin), it is not ours any more (settle), or it is not yet
           out of time (abandon)
]]
local layout, step, token = KEYS[1], ARGV[1], ARGV[2]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local changing = redis.call('HMGET', layout, 'changing', 'changingUntil')

if step == 'begin' then
  if changing[1] then return 0 end
  redis.call('HSET', layout, 'changing', token, 'changingUntil', nowMs + tonumber(ARGV[3]))
  return 1
end
if step == 'settle' then
  if changing[1] ~= token then return 0 end
  redis.call('HSET', layout, 'partitions', ARGV[3], 'epoch', ARGV[4], 'changedMs', nowMs)
  redis.call('HDEL', layout, 'changing', 'changingUntil')
  return 1
end
if not changing[1] or tonumber(changing[2]) > nowMs then return 0 end
redis.call('HDEL', layout, 'changing', 'changingUntil')
return 1
