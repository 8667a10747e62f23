-- Heartbeat of a call and change of its hold. All amounts are totals, so a repeated request changes nothing. What the ingress names as
-- promised is held whatever the balance is, also when Redis has lost the hold; a hold is made smaller only down to that.
-- KEYS: account, holds, hold of the call, ended mark of the call, slots of the trunk
-- ARGV: call, lease ms of the slot, floor ('' none), promised, wanted, generous, share in millionths, confirmed seconds, record of the call,
--       sequence of the request, ms that a hold of `promised` or `wanted` promises, ms that a hold of `generous` promises, instance
-- -> status, amount held, made again (1/0), amount that the call should have
local account, holds, hold, ended, slots = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, lease, floor = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local promised, wanted, generous, sequence = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[10])

if redis.call('EXISTS', ended) == 1 then
  return {'ended', 0, 0, 0}
end
local sums = redis.call('HMGET', account, 'posted', 'held')
if not sums[1] then
  return {'missing', 0, 0, 0}
end
local state = redis.call('HMGET', hold, 'amount', 'over', 'confirmed', 'sequence')
if state[2] then
  return {'ended', 0, 0, 0}
end
local before, known = tonumber(state[1] or '0'), tonumber(state[4] or '0')
if known > 0 and sequence <= known then
  -- Overtaken by a later request, or a duplicate: it names what the ingress counted on before it had the reply, which may be less than now.
  return {'held', before, 0, before}
end

local due = generous
if floor then
  due = target(wanted, generous, tonumber(ARGV[7]), spendable(tonumber(sums[1]), tonumber(sums[2] or '0') - before, floor))
end
local amount = math.max(promised, due)
local now = now_ms()
local confirmed = math.max(tonumber(ARGV[8]), tonumber(state[3] or '0'))
redis.call('HSET', hold, 'amount', integer(amount), 'confirmed', confirmed, 'sequence', sequence, 'seen', now, 'instance', ARGV[13])
if not state[1] then
  redis.call('HSET', hold, 'record', ARGV[9])
end
if amount ~= before then
  redis.call('HINCRBY', account, 'held', integer(amount - before))
end
redis.call('ZADD', holds, now + tonumber(amount > math.max(promised, wanted) and ARGV[12] or ARGV[11]), call)
redis.call('ZADD', slots, now + lease, call)
return {'held', amount, state[1] and 0 or 1, due}
