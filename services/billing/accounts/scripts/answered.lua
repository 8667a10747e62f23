-- Keeps the record call.answered with the hold. The CDR is made from it if the instance of the call is lost.
-- KEYS: hold of the call   ARGV: record
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'record', ARGV[1])
return 1
