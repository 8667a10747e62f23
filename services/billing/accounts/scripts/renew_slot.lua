-- Renews the lease of a carrier's slot. If Redis has lost the slot it is taken again, because the call is live.
-- KEYS: slots of the carrier trunk   ARGV: call, lease ms
redis.call('ZADD', KEYS[1], now_ms() + tonumber(ARGV[2]), ARGV[1])
return 1
