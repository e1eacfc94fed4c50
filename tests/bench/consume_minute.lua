-- limit.consume with a limit of the minute, one of the day and one of the calendar month, in Redis.
--
--   KEYS[1] the user's hash    ARGV  field of the day (20261123), field of the month (202611), the minute
--                                    (29000000), cost, most a minute, a day, a month
--
-- Answers allowed, the index of the limit that refused (-1: none), and what is used this minute, today and this
-- month. As in consume.lua, who counts first takes it back where it was too much. The minute is the client's, by its own
-- clock, and a key of its own, which Redis forgets after two.
local user, cost = KEYS[1], ARGV[4]
local minute = user .. ":" .. ARGV[3]
local now = redis.call("INCRBY", minute, cost)
local day = redis.call("HINCRBY", user, ARGV[1], cost)
local month = redis.call("HINCRBY", user, ARGV[2], cost)
if now == tonumber(cost) then redis.call("EXPIRE", minute, 120) end
if now <= tonumber(ARGV[5]) and day <= tonumber(ARGV[6]) and month <= tonumber(ARGV[7]) then
  return { 1, -1, now, day, month }
end
redis.call("DECRBY", minute, cost)
redis.call("HINCRBY", user, ARGV[1], -cost)
redis.call("HINCRBY", user, ARGV[2], -cost)
local deniedBy = now > tonumber(ARGV[5]) and 0 or day > tonumber(ARGV[6]) and 1 or 2
return { 0, deniedBy, now - cost, day - cost, month - cost }
