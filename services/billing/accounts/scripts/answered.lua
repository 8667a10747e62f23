-- Notes with the hold where the stream keeps the record call.answered, for closing the call should its instance be lost.
-- KEYS: hold of the call   ARGV: stream sequence
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'answered', ARGV[1])
return 1
