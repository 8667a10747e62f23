-- Heartbeat of a call and extension of its hold. The wanted amount is a total, so a repeated request changes nothing. If Redis has lost the
-- hold of a live call, the hold is made again: the confirmed seconds have been talked, so their cost is held whatever the balance is.
-- KEYS: account, holds, hold of the call, ended mark of the call, slots of the trunk
-- ARGV: call, lease ms, floor ('' none), wanted total, confirmed seconds, cost of the confirmed seconds, record of the call, wanted
--       total if the hold is made again
-- -> status, amount held, made again (1/0)
local account, holds, hold, ended, slots = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, lease, floor, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

if redis.call('EXISTS', ended) == 1 then
  return {'ended', 0, 0}
end
local sums = redis.call('HMGET', account, 'posted', 'held')
if not sums[1] then
  return {'missing', 0, 0}
end
local state = redis.call('HMGET', hold, 'amount', 'over', 'confirmed')
if state[2] then
  return {'ended', 0, 0}
end

local before = tonumber(state[1] or '0')
local amount = before
local made_again = 0
if not state[1] then
  made_again = 1
  amount = tonumber(ARGV[6])
  wanted = math.max(wanted, tonumber(ARGV[8]))
  redis.call('HSET', hold, 'record', ARGV[7])
end
if wanted > amount then
  local more = wanted - amount
  if floor then
    local available = tonumber(sums[1]) - tonumber(sums[2] or '0') - (amount - before) - floor
    more = math.max(0, math.min(more, available))
  end
  amount = amount + more
end

local time = redis.call('TIME')
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + lease
local confirmed = math.max(tonumber(ARGV[5]), tonumber(state[3] or '0'))
redis.call('HSET', hold, 'amount', amount, 'confirmed', confirmed)
if amount ~= before then
  redis.call('HINCRBY', account, 'held', amount - before)
end
redis.call('ZADD', holds, expiry, call)
redis.call('ZADD', slots, expiry, call)
return {'held', amount, made_again}
