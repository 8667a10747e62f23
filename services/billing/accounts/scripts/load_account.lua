-- Writes a missing account with the holds and slots of its live calls. Does nothing if the account exists. A call that has ended since the
-- report was made has an ended mark and is left out.
-- KEYS: account, holds, late value, then per hold: hold, ended mark, slots of its trunk; then per carrier slot: slots of the trunk
-- ARGV: posted, version, lease ms, number of holds, then per hold: call, amount, confirmed seconds, talking or setting up (1/0), record;
--       then per carrier slot: call
local account, holds, late = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HEXISTS', account, 'posted') == 1 then
  return 0
end
local posted, version = ARGV[1], ARGV[2]
local noted = redis.call('HMGET', late, 'posted', 'version')
if noted[2] and tonumber(noted[2]) > tonumber(version) then
  posted, version = noted[1], noted[2]
end
local time = redis.call('TIME')
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3])
local count = tonumber(ARGV[4])

local held = 0
redis.call('DEL', holds)
for i = 0, count - 1 do
  local key, arg = 4 + i * 3, 5 + i * 5
  if redis.call('EXISTS', KEYS[key + 1]) == 0 then
    redis.call('HSET', KEYS[key], 'amount', ARGV[arg + 1], 'confirmed', ARGV[arg + 2], 'record', ARGV[arg + 4])
    redis.call('ZADD', holds, expiry, ARGV[arg])
    held = held + tonumber(ARGV[arg + 1])
    if ARGV[arg + 3] == '1' then
      redis.call('ZADD', KEYS[key + 2], expiry, ARGV[arg])
    end
  end
end
local first_key, first_arg = 4 + count * 3, 5 + count * 5
for i = 0, #KEYS - first_key do
  redis.call('ZADD', KEYS[first_key + i], expiry, ARGV[first_arg + i])
end
redis.call('HSET', account, 'posted', posted, 'version', version, 'held', held)
redis.call('DEL', late)
return 1
