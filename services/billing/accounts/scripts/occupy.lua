-- Takes one outgoing slot of a carrier trunk for a call. All keys are in the carrier's hash slot. Idempotent by call id.
-- KEYS: account of the carrier, slots of the trunk, CPS bucket of the trunk
-- ARGV: call, lease ms, slot cap (-1 none), CPS cap (-1 none)
-- -> status, slots in use, calls this second
local account, slots, cps = KEYS[1], KEYS[2], KEYS[3]
local call, lease, cap, cps_cap = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- If the carrier's account is missing, its slots are missing too, and the number of its calls is unknown.
if redis.call('HEXISTS', account, 'posted') == 0 then
  return {'missing', 0, 0}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
local in_use = redis.call('ZCARD', slots)
if redis.call('ZSCORE', slots, call) then
  redis.call('ZADD', slots, now + lease, call)
  return {'replay', in_use, 0}
end
if cap >= 0 and in_use >= cap then
  return {'busy', in_use, 0}
end
local this_second = 0
if cps_cap >= 0 then
  local bucket = redis.call('HMGET', cps, 'second', 'calls')
  if bucket[1] == time[1] then
    this_second = tonumber(bucket[2])
  end
  if this_second >= cps_cap then
    return {'cps', in_use, this_second}
  end
  redis.call('HSET', cps, 'second', time[1], 'calls', this_second + 1)
  redis.call('PEXPIRE', cps, 2000)
end
redis.call('ZADD', slots, now + lease, call)
return {'taken', in_use + 1, this_second + 1}
