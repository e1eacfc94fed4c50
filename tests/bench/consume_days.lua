-- limit.consume with a limit of the day and one of the calendar month, in Redis, from the days alone.
--
--   KEYS[1] the user's hash    ARGV  today (20261123), cost, most a day, most a month
--
-- Answers as consume.lua does, and as it does reads nothing but one hash a user. This is what Karma does:
-- the days are all there is, any window is a sum over them, and a corrected day corrects all windows.
-- Only the days so far are asked for. In the benchmark most of them are missing, in favour of Redis:
-- a field that isn't there needs no number to be parsed.
local today, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local days = {}
for day = today - today % 100 + 1, today do days[#days + 1] = day end
local values, month = redis.call("HMGET", KEYS[1], unpack(days)), 0
for index = 1, #days do month = month + (values[index] or 0) end
local day = tonumber(values[#days] or 0)
if day + cost > tonumber(ARGV[3]) then return { 0, 0, day, month } end
if month + cost > tonumber(ARGV[4]) then return { 0, 1, day, month } end
redis.call("HINCRBY", KEYS[1], today, cost)
return { 1, -1, day + cost, month + cost }
