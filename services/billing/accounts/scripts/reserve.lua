-- Admits one call on the customer's side: CPS, incoming slot and hold, all or none. Idempotent by call id.
-- KEYS: account, holds, hold of the call, ended mark of the call, slots of the trunk, CPS bucket of the trunk
-- ARGV: call, lease ms, slot cap (-1 none), CPS cap (-1 none), floor ('' none), wanted, least, prepaid (1/0), record of the call
-- -> status, granted, posted, held before, slots in use, calls this second
local account, holds, hold, ended, slots, cps = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, lease, cap, cps_cap, floor = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local wanted, least = tonumber(ARGV[6]), tonumber(ARGV[7])

if redis.call('EXISTS', ended) == 1 then
  return {'ended', 0, 0, 0, 0, 0}
end
local sums = redis.call('HMGET', account, 'posted', 'held')
if not sums[1] then
  return {'missing', 0, 0, 0, 0, 0}
end
local posted, held = tonumber(sums[1]), tonumber(sums[2] or '0')

local before = redis.call('HMGET', hold, 'amount', 'over')
if before[1] then
  return {before[2] and 'ended' or 'replay', tonumber(before[1]), posted, held, 0, 0}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local this_second = 0
if cps_cap >= 0 then
  local bucket = redis.call('HMGET', cps, 'second', 'calls')
  if bucket[1] == time[1] then
    this_second = tonumber(bucket[2])
  end
  if this_second >= cps_cap then
    return {'cps', 0, posted, held, 0, this_second}
  end
end

redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
local in_use = redis.call('ZCARD', slots)
if cap >= 0 and in_use >= cap then
  return {'busy', 0, posted, held, in_use, this_second}
end

local granted = wanted
if floor then
  local available = posted - held - floor
  if available < least or (ARGV[8] == '1' and available <= 0) then
    return {'credit', 0, posted, held, in_use, this_second}
  end
  granted = math.min(wanted, available)
end

local expiry = now + lease
redis.call('HSET', hold, 'amount', granted, 'confirmed', 0, 'record', ARGV[9])
redis.call('ZADD', holds, expiry, call)
redis.call('HINCRBY', account, 'held', granted)
redis.call('ZADD', slots, expiry, call)
if cps_cap >= 0 then
  redis.call('HSET', cps, 'second', time[1], 'calls', this_second + 1)
  redis.call('PEXPIRE', cps, 2000)
end
return {'granted', granted, posted, held, in_use + 1, this_second + 1}
