-- Returns the slots in use for one direction of a trunk. KEYS: slots of the trunk
local time = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], '(' .. (time[1] * 1000 + math.floor(time[2] / 1000)), '+inf')
