-- Admits one call on the customer's side: CPS, incoming slot and hold, all or none. Idempotent by call id.
-- KEYS: account, holds, hold of the call, ended mark of the call, slots of the trunk, CPS bucket of the trunk
-- ARGV: call, lease ms of the slot, slot cap (-1 none), CPS cap (-1 none), floor ('' none), wanted, least, prepaid (1/0), record of the call,
--       generous, share in millionths, ms that a hold of `wanted` promises, ms that a hold of `generous` promises, instance of the call,
--       dry run (1/0: decide the same, take nothing)
-- -> status, granted, posted, held before, slots in use, calls this second
local account, holds, hold, ended, slots, cps = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, lease, cap, cps_cap, floor = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local wanted, least, generous = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[10])

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

local now, second = now_ms()
local this_second = cps_cap >= 0 and calls_this_second(cps, second) or 0
if cps_cap >= 0 and this_second >= cps_cap then
  return {'cps', 0, posted, held, 0, this_second}
end

local in_use = slots_in_use(slots, now)
if cap >= 0 and in_use >= cap then
  return {'busy', 0, posted, held, in_use, this_second}
end

local granted = generous
if floor then
  local available = spendable(posted, held, floor)
  if available < least or (ARGV[8] == '1' and available <= 0) then
    return {'credit', 0, posted, held, in_use, this_second}
  end
  granted = target(wanted, generous, tonumber(ARGV[11]), available)
end

if ARGV[15] == '1' then
  return {'granted', granted, posted, held, in_use, this_second}
end
redis.call('HSET', hold, 'amount', integer(granted), 'confirmed', 0, 'sequence', 0, 'seen', now, 'instance', ARGV[14], 'record', ARGV[9])
redis.call('ZADD', holds, now + tonumber(granted > wanted and ARGV[13] or ARGV[12]), call)
redis.call('HINCRBY', account, 'held', integer(granted))
redis.call('ZADD', slots, now + lease, call)
if cps_cap >= 0 then
  count_call(cps, second, this_second + 1)
end
return {'granted', granted, posted, held, in_use + 1, this_second + 1}
