-- What several scripts use. It is put before the text of each.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1]
end

-- What may be held beside `held`. Lua counts in doubles, which are exact up to 2^53: beyond that it is rounded down, so nothing is oversold.
local function spendable(posted, held, floor)
  local available = posted - held - floor
  if math.max(math.abs(posted), math.abs(held), math.abs(floor)) > 9007199254740992 then
    return available - 1024
  end
  return available
end

-- As Redis reads a whole number: from 10^17 on, Lua would write it with an exponent.
local function integer(number)
  return string.format('%.0f', number)
end

-- What a hold should be: at least what is wanted, and beyond that a share of what is spendable, so that the call outlasts an outage.
local function target(wanted, generous, share_ppm, spendable_micros)
  local share = math.floor(spendable_micros / 1000000) * share_ppm
  return math.min(spendable_micros, math.max(wanted, math.min(generous, share)))
end

-- Calls of this second in a CPS bucket.
local function calls_this_second(cps, second)
  local bucket = redis.call('HMGET', cps, 'second', 'calls')
  return bucket[1] == second and tonumber(bucket[2]) or 0
end

local function count_call(cps, second, calls)
  redis.call('HSET', cps, 'second', second, 'calls', calls)
  redis.call('PEXPIRE', cps, 2000)
end

-- Slots in use after those whose lease has ended are gone.
local function slots_in_use(slots, now)
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  return redis.call('ZCARD', slots)
end
