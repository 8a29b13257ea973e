--[[
  Forgets readers of a group that have nothing in hand and did not read for long. With a name its pending entries would go,
  so looking and forgetting are one step.

  KEYS[1]  stream
  ARGV[1]  group
  ARGV[2]  idleMs   least time since a reader's last sign of life
  Returns  the names forgotten
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local dropped = {}
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local fields = {}
  for i = 1, #consumer, 2 do fields[consumer[i]] = consumer[i + 1] end
  if fields.pending == 0 and fields.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fields.name)
    dropped[#dropped + 1] = fields.name
  end
end
return dropped
