-- Returns what reserve.lua would find. Changes nothing.
-- KEYS: account, holds, slots of the trunk, CPS bucket of the trunk
-- -> status, posted and held as texts (Lua's numbers are exact up to 2^53 only), live holds, slots in use, calls this second
local sums = redis.call('HMGET', KEYS[1], 'posted', 'held')
if not sums[1] then
  return {'missing', '0', '0', 0, 0, 0}
end
local now, second = now_ms()
return {'found', sums[1], sums[2] or '0', redis.call('ZCARD', KEYS[2]),
        redis.call('ZCOUNT', KEYS[3], '(' .. now, '+inf'), calls_this_second(KEYS[4], second)}
