--[[
  Emits the ticks that are due, for many jobs at once: compares and sets each job's next instant and adds its ticks to the
  stream, all or nothing. Any process may call it at any time. Time is Redis' own and, as far as callers see, does not go
  back; a clock that was set back by more than `maxAheadMs` is followed, since waiting for it would stop everything.

  KEYS[1]  stream      the ticks
  KEYS[2]  next        hash: per job `version:instant`, the instant that is to be emitted next
  KEYS[3]  clock       the latest time seen, in milliseconds
  ARGV[1]  maxAheadMs  how far the latest time seen may be ahead of the clock
  ARGV[2…] per job:    name, version, expected, count, then count pairs (instant, emitAt), ascending
           expected    the instant the caller believes to be next; '' to begin anew from the ledger, if nothing is known of
                       this version
           pairs       `emitAt` is the instant and the tick's jitter. The last pair is never emitted: it becomes next, so
                       a schedule that ends gives an instant that never comes
  Returns  {now, then per job: status, emitted, next instant}
           status      'ok'; 'moved' somebody was faster; 'old' a newer version is known; 'unknown' begin anew
]]
local stream, nextKey, clockKey = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local latest = tonumber(redis.call('GET', clockKey) or 0)
if latest > now and latest - now <= tonumber(ARGV[1]) then now = latest end
redis.call('SET', clockKey, string.format('%.0f', now))

local names, starts = {}, {}
local at = 2
while at <= #ARGV do
  names[#names + 1] = ARGV[at]
  starts[#starts + 1] = at
  at = at + 4 + 2 * tonumber(ARGV[at + 3])
end
local reply = {string.format('%.0f', now)}
if #names == 0 then return reply end

local known = redis.call('HMGET', nextKey, unpack(names))
local changes = {}
for i, job in ipairs(names) do
  local start = starts[i]
  local version, expected, count = tonumber(ARGV[start + 1]), ARGV[start + 2], tonumber(ARGV[start + 3])
  local storedVersion, stored
  if known[i] then
    storedVersion, stored = string.match(known[i], '^(%d+):(%d+)$')
    storedVersion = tonumber(storedVersion)
  end
  local status, emitted, due = 'ok', 0, stored or ''
  if storedVersion and storedVersion > version then
    status = 'old'
  elseif storedVersion == version and stored ~= expected then
    status = 'moved'
  elseif storedVersion ~= version and expected ~= '' then
    status = 'unknown'
  else
    local pair = start + 4
    local last = pair + 2 * (count - 1)
    while pair < last and tonumber(ARGV[pair + 1]) <= now do
      redis.call('XADD', stream, '*', 'job', job, 'at', ARGV[pair], 'version', ARGV[start + 1])
      emitted = emitted + 1
      pair = pair + 2
    end
    due = ARGV[pair]
    changes[#changes + 1] = job
    changes[#changes + 1] = ARGV[start + 1] .. ':' .. due
  end
  reply[#reply + 1] = status
  reply[#reply + 1] = emitted
  reply[#reply + 1] = due
end
if #changes > 0 then redis.call('HSET', nextKey, unpack(changes)) end
return reply
