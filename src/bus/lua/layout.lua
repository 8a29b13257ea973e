--[[
  Changes the layout: how many partitions there are, and since which epoch. Each change that is begun gets an epoch that no
  other one had or will have, so this epoch is the proof of who is at it. It is settled by him with the new number, or given
  up, by anybody once its time is over: then the old number holds, under an epoch above that of the change. So epochs only
  grow, and what a process does that was given up without noticing is told by its epoch.

  KEYS[1]  layout
  ARGV[1]  step    begin, renew, settle, abandon or raise
  ARGV[2]  epoch   begin: the highest that is known elsewhere; renew, settle: that of the change;
                   abandon: that of the change, which is given up at once, or 0 for any whose time is over;
                   raise: what the layout has to have at least
  ARGV[3]  begin, renew: how long the change may take from now on, in ms; settle, raise: the number of partitions
  Returns  begin: the epoch of the change. Else 1. 0 when nothing was done: somebody else is at it (begin), it is not ours any
           more (renew, settle), there is none to give up (abandon), or the layout is as new (raise)
]]
local layout, step, epoch = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', layout, 'epoch', 'changing', 'changingUntil')
local current, changing = tonumber(known[1]), tonumber(known[2])
local over = changing and tonumber(known[3]) <= nowMs

local function take(partitions, newEpoch)
  redis.call('HSET', layout, 'partitions', partitions, 'epoch', string.format('%.0f', newEpoch))
  if current then redis.call('HSET', layout, 'changedMs', nowMs) end -- the first one changes nothing
  redis.call('HDEL', layout, 'changing', 'changingUntil')
  return 1
end

if step == 'begin' then
  if changing and not over then return 0 end
  local next = math.max(current, changing or 0, epoch) + 1
  redis.call('HSET', layout, 'changing', string.format('%.0f', next), 'changingUntil', nowMs + tonumber(ARGV[3]))
  return next
end
if step == 'renew' then
  if changing ~= epoch then return 0 end
  redis.call('HSET', layout, 'changingUntil', nowMs + tonumber(ARGV[3]))
  return 1
end
if step == 'settle' then
  if changing ~= epoch then return 0 end
  return take(ARGV[3], epoch)
end
if step == 'raise' then
  if current and current >= epoch then return 0 end
  return take(ARGV[3], epoch)
end
if not changing or (changing ~= epoch and not over) then return 0 end
redis.call('HSET', layout, 'epoch', string.format('%.0f', changing + 1))
redis.call('HDEL', layout, 'changing', 'changingUntil')
return 1
