-- Compares the sum in `held` with the holds and returns the difference, which must be 0. It repairs nothing: a difference is a defect.
-- KEYS: account, holds   ARGV: what a hold's key begins with (same hash slot), most holds to look at
if redis.call('HEXISTS', KEYS[1], 'posted') == 0 or redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[2]) then
  return 0
end
local sum = 0
for _, call in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  sum = sum + tonumber(redis.call('HGET', ARGV[1] .. call, 'amount') or '0')
end
return tonumber(redis.call('HGET', KEYS[1], 'held') or '0') - sum
