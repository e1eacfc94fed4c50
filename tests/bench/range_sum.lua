-- The sum of a range of days, in Redis: what `sum` with a range does in Karma.
--
--   KEYS[1] the user's hash    ARGV  the days
--
-- The days come from the client: to count them up here takes longer than to read them. HGETALL would do
-- as well where a hash has no days but these.
local values, sum = redis.call("HMGET", KEYS[1], unpack(ARGV)), 0
for index = 1, #values do sum = sum + (values[index] or 0) end
return sum
