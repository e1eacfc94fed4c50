-- limit.consume with a limit of the day and one of the calendar month, in Redis: the fastest way we know.
--
--   KEYS[1] the user's hash    ARGV  field of the day (20261123), field of the month (202611), cost,
--                                    most a day, most a month
--
-- Answers allowed, the index of the limit that refused (-1: none), used today and used this month; what
-- is left is a subtraction, the client's. Who counts first and takes it back where it was too much needs
-- two commands for the usual request, which is allowed; nothing is seen of it in between.
--
-- The month's total stands beside the days, so its days need not be summed. The price: a total is of
-- one window and says nothing about others. It can't do rolling windows or billing months, a limit
-- of a week needs one more, and so does every correction of an earlier day. consume_days.lua sums.
local user, cost = KEYS[1], ARGV[3]
local day = redis.call("HINCRBY", user, ARGV[1], cost)
local month = redis.call("HINCRBY", user, ARGV[2], cost)
if day <= tonumber(ARGV[4]) and month <= tonumber(ARGV[5]) then return { 1, -1, day, month } end
redis.call("HINCRBY", user, ARGV[1], -cost)
redis.call("HINCRBY", user, ARGV[2], -cost)
local deniedBy = day > tonumber(ARGV[4]) and 0 or 1
return { 0, deniedBy, day - cost, month - cost }
