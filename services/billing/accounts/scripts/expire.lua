-- Examines a call whose lease seems to have ended. If it has (status 'lost'), the caller closes the call: the lease is extended by the
-- claim time, so that another replica does not close the call as well.
-- KEYS: holds, hold of the call   ARGV: call, claim ms
-- -> status ('gone', 'over', 'alive', 'lost'), expiry ms, confirmed seconds, stream sequence of call.answered, record
local state = redis.call('HMGET', KEYS[2], 'amount', 'over', 'confirmed', 'answered', 'record')
if not state[1] then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {'gone', 0, 0, 0, ''}
end
local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
-- The hold of a call that is over has a lease only while its record has not arrived.
if state[2] and (not lease or lease == 'inf') then
  return {'over', 0, 0, 0, ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expiry = tonumber(lease or '0')
if expiry > now then
  return {'alive', expiry, 0, 0, ''}
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return {'lost', now + tonumber(ARGV[2]), tonumber(state[3] or '0'), tonumber(state[4] or '0'), state[5] or ''}
