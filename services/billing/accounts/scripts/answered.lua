-- Stores with the hold the stream sequence of call.answered. The CDR is made from that record if the instance of the call is lost.
-- KEYS: hold of the call   ARGV: stream sequence
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'answered', ARGV[1])
return 1
