-- Runs after a commit of the ledger. In one step `posted` becomes the ledger's balance (an absolute value, the newer version wins) and the
-- holds of the calls in that commit are removed. Payments use it without calls. Repeating it changes nothing.
-- KEYS: account, holds, late value, then per call: hold, ended mark, slots of its trunk
-- ARGV: posted, version, mark ms, then per call: call
local account, holds, late = KEYS[1], KEYS[2], KEYS[3]
local version = tonumber(ARGV[2])

local known = redis.call('HGET', account, 'version')
if known then
  if version > tonumber(known) then
    redis.call('HSET', account, 'posted', ARGV[1], 'version', ARGV[2])
  end
else
  -- The account is being rebuilt, perhaps from a balance read before this commit: keep the newer balance for load_account.lua.
  local noted = redis.call('HGET', late, 'version')
  if not noted or version > tonumber(noted) then
    redis.call('HSET', late, 'posted', ARGV[1], 'version', ARGV[2])
  end
  redis.call('PEXPIRE', late, ARGV[3])
end

for i = 4, #ARGV do
  local call = ARGV[i]
  local key = 4 + (i - 4) * 3
  local hold, ended, slots = KEYS[key], KEYS[key + 1], KEYS[key + 2]
  redis.call('SET', ended, '0', 'PX', ARGV[3])  -- nothing is left to book
  redis.call('ZREM', slots, call)
  local amount = redis.call('HGET', hold, 'amount')
  if amount then
    redis.call('DEL', hold)
    redis.call('ZREM', holds, call)
    if known then
      redis.call('HINCRBY', account, 'held', 0 - tonumber(amount))
    end
  end
end
return known and 1 or 0
