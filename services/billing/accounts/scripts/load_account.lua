-- Writes a missing account with the holds and slots of its live calls. Does nothing if the account exists. A call that has ended since the
-- report was made has an ended mark: only the charge that the mark names is held.
-- KEYS: account, holds, late value, then per hold: hold, ended mark, slots of its trunk; then per carrier slot: slots of the trunk
-- ARGV: posted, version, lease ms of slots, number of holds, then per hold: call, amount, confirmed seconds, talking or setting up (1/0), ms
--       until what was promised ends, instance, record; then per carrier slot: call
local account, holds, late = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', account, 'posted') == 1 then
  return 0
end
local posted, version = ARGV[1], ARGV[2]
local noted = redis.call('HMGET', late, 'posted', 'version')
if noted[2] and tonumber(noted[2]) > tonumber(version) then
  posted, version = noted[1], noted[2]
end
local now = now_ms()
local expiry = now + tonumber(ARGV[3])
local count = tonumber(ARGV[4])

redis.call('DEL', holds)
redis.call('HSET', account, 'posted', posted, 'version', version, 'held', 0)
for i = 0, count - 1 do
  local key, arg = 4 + i * 3, 5 + i * 7
  local hold, call, amount, ends = KEYS[key], ARGV[arg], ARGV[arg + 1], now + tonumber(ARGV[arg + 4])
  local charge = redis.call('GET', KEYS[key + 1])
  redis.call('HSET', hold, 'confirmed', ARGV[arg + 2], 'seen', now, 'instance', ARGV[arg + 5], 'record', ARGV[arg + 6])
  if charge then
    amount, ends = charge, '+inf'
    redis.call('HSET', hold, 'over', 1)
  elseif ARGV[arg + 3] == '1' then
    redis.call('ZADD', KEYS[key + 2], expiry, call)
  end
  if charge == '0' then  -- booked
    redis.call('DEL', hold)
  else
    redis.call('HSET', hold, 'amount', amount)
    redis.call('ZADD', holds, ends, call)
    redis.call('HINCRBY', account, 'held', amount)
  end
end
local first_key, first_arg = 4 + count * 3, 5 + count * 7
for i = 0, #KEYS - first_key do
  redis.call('ZADD', KEYS[first_key + i], expiry, ARGV[first_arg + i])
end
redis.call('DEL', late)
return 1
