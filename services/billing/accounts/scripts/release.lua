-- A call has ended: frees its incoming slot and reduces its hold to the charge, which stays held until the ledger has it. Marks the call as
-- ended, so that a late reserve or extend does not make its hold again. Repeating it changes nothing, also after the settlement.
-- KEYS: account, holds, hold of the call, ended mark of the call, slots of the trunk
-- ARGV: call, mark ms, charge, how long to wait for the record in ms ('' = the record has arrived), seconds talked
-- -> status ('released', 'missing')
local account, holds, hold, ended, slots = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, charge, wait = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])

-- An account that is being rebuilt takes the hold from the report of the ingress. A mark would make it a hold without end, which only a
-- record that has arrived may be.
local is_loaded = redis.call('HEXISTS', account, 'posted') == 1
if wait and not is_loaded then
  return {'missing'}
end
-- A call that ends while its account is rebuilt has no hold: the mark keeps its charge for load_account.lua. Once booked, the mark says 0.
if redis.call('GET', ended) ~= '0' then
  redis.call('SET', ended, ARGV[3], 'PX', ARGV[2])
end
redis.call('ZREM', slots, call)
local state = redis.call('HMGET', hold, 'amount', 'over', 'confirmed')
if not state[1] then
  return {'released'}
end
local amount = tonumber(state[1])
local kept = math.min(amount, charge)
if is_loaded then
  redis.call('HINCRBY', account, 'held', kept - amount)
end
if wait then
  -- The record may never come, if the disk of its ingress is lost. Then the sweeper closes the call with the seconds talked, so a hold of
  -- nothing stays as well. If the record has arrived before this request, the hold has no lease, and none is set.
  redis.call('HSET', hold, 'amount', kept, 'over', 1, 'confirmed', math.max(tonumber(ARGV[5]), tonumber(state[3] or '0')))
  if not state[2] then
    redis.call('ZADD', holds, now_ms() + wait, call)
  end
elseif kept == 0 then
  redis.call('DEL', hold)
  redis.call('ZREM', holds, call)
else
  -- The record of the call settles this hold, and the stream keeps that record: no lease ends the hold.
  redis.call('HSET', hold, 'amount', kept, 'over', 1)
  redis.call('ZADD', holds, '+inf', call)
end
return {'released'}
