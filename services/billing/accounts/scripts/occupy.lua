-- Takes one outgoing slot of a carrier trunk for a call. All keys are in the carrier's hash slot. Idempotent by call id.
-- KEYS: account of the carrier, slots of the trunk, CPS bucket of the trunk
-- ARGV: call, lease ms, slot cap (-1 none), CPS cap (-1 none), dry run (1/0: decide the same, take nothing)
-- -> status, slots in use, calls this second
local account, slots, cps = KEYS[1], KEYS[2], KEYS[3]
local call, lease, cap, cps_cap = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- If the carrier's account is missing, its slots are missing too, and the number of its calls is unknown.
if redis.call('HEXISTS', account, 'posted') == 0 then
  return {'missing', 0, 0}
end
local now, second = now_ms()
local in_use = slots_in_use(slots, now)
if redis.call('ZSCORE', slots, call) then
  redis.call('ZADD', slots, now + lease, call)
  return {'replay', in_use, 0}
end
if cap >= 0 and in_use >= cap then
  return {'busy', in_use, 0}
end
local this_second = cps_cap >= 0 and calls_this_second(cps, second) or 0
if cps_cap >= 0 and this_second >= cps_cap then
  return {'cps', in_use, this_second}
end
if ARGV[5] == '1' then
  return {'taken', in_use, this_second}
end
if cps_cap >= 0 then
  count_call(cps, second, this_second + 1)
end
redis.call('ZADD', slots, now + lease, call)
return {'taken', in_use + 1, this_second + 1}
