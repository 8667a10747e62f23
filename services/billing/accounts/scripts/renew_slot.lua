-- Renews the lease of a carrier's slot. If Redis has lost the slot it is taken again, because the call is live.
-- KEYS: slots of the carrier trunk   ARGV: call, lease ms
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]), ARGV[1])
return 1
