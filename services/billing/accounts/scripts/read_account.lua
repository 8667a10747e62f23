-- Returns what reserve.lua would find. Changes nothing.
-- KEYS: account, holds, slots of the trunk, CPS bucket of the trunk
-- -> status, posted, held, live holds, slots in use, calls this second
local sums = redis.call('HMGET', KEYS[1], 'posted', 'held')
if not sums[1] then
  return {'missing', 0, 0, 0, 0, 0}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = redis.call('HMGET', KEYS[4], 'second', 'calls')
local this_second = bucket[1] == time[1] and tonumber(bucket[2]) or 0
return {'found', tonumber(sums[1]), tonumber(sums[2] or '0'), redis.call('ZCARD', KEYS[2]),
        redis.call('ZCOUNT', KEYS[3], '(' .. now, '+inf'), this_second}
