-- A call has ended: frees its incoming slot and reduces its hold to the charge, which stays held until the ledger has it. Marks the call as
-- ended, so that a late reserve or extend does not make its hold again.
-- KEYS: account, holds, hold of the call, ended mark of the call, slots of the trunk
-- ARGV: call, mark ms, charge
local account, holds, hold, ended, slots = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, charge = ARGV[1], tonumber(ARGV[3])

redis.call('SET', ended, '1', 'PX', ARGV[2])
redis.call('ZREM', slots, call)
local amount = tonumber(redis.call('HGET', hold, 'amount') or '-1')
if amount < 0 then
  return 0
end
local kept = math.min(amount, charge)
if redis.call('HEXISTS', account, 'posted') == 1 then
  redis.call('HINCRBY', account, 'held', kept - amount)
end
if kept == 0 then
  redis.call('DEL', hold)
  redis.call('ZREM', holds, call)
  return amount
end
-- The record of the call settles this hold, and the stream keeps that record: no lease ends the hold.
redis.call('HSET', hold, 'amount', kept, 'over', 1)
redis.call('ZADD', holds, '+inf', call)
return amount - kept
