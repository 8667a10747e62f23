-- Reads the hold of a call whose heartbeat may be late. Changes nothing but the entry of a hold that is gone.
-- KEYS: holds, hold of the call   ARGV: call
-- -> status ('gone', 'booked' = its record has arrived, 'held'), ms since the last heartbeat, ms until what was promised has ended (not above
--    0 = it has), confirmed seconds, instance, record
local state = redis.call('HMGET', KEYS[2], 'amount', 'over', 'seen', 'confirmed', 'instance', 'record')
if not state[1] then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {'gone', 0, 0, 0, '', ''}
end
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if state[2] and (not ends or ends == 'inf') then
  return {'booked', 0, 0, 0, '', ''}
end
local now = now_ms()
return {'held', now - tonumber(state[3] or '0'), math.floor(tonumber(ends or '0') - now), tonumber(state[4] or '0'), state[5] or '',
        state[6] or ''}
