-- limit.consume with a limit of the day and one of the calendar month, as one would write it for Redis:
-- a hash for each user with a field for each day.
--
--   KEYS[1] the user's hash    ARGV  today (YYYYMMDD), cost, max of the day, max of the month
--
-- The month is summed from its days with one HMGET. A field with the month's total beside the days would
-- be faster, but then a refund, a correction or any other window would need one more of its own.
local today, cost = ARGV[1], tonumber(ARGV[2])
local month, days = string.sub(today, 1, 6), {}
for day = 1, 31 do days[day] = month .. string.format("%02d", day) end
local values, used, usedToday = redis.call("HMGET", KEYS[1], unpack(days)), 0, 0
for day = 1, 31 do
  if values[day] then
    used = used + tonumber(values[day])
    if days[day] == today then usedToday = tonumber(values[day]) end
  end
end
local maxDay, maxMonth = tonumber(ARGV[3]), tonumber(ARGV[4])
if usedToday + cost > maxDay then return { 0, 0, usedToday, used } end
if used + cost > maxMonth then return { 0, 1, usedToday, used } end
redis.call("HINCRBY", KEYS[1], today, cost)
return { 1, -1, usedToday + cost, used + cost }
