-- Returns the slots in use for one direction of a trunk. KEYS: slots of the trunk
return redis.call('ZCOUNT', KEYS[1], '(' .. now_ms(), '+inf')
