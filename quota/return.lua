-- Gives back tokens, leases, slots and units. What is not there is not missed.
--
-- KEYS: the tenant's hash, then the set of held slots of each slot given back.
-- ARGV: the time in microseconds, or 0 for the server's; how many rates, slots and units;
-- then for each
--   rate: name, tokens, lease id or nothing, used
--   slot: its id
--   units: name, start, end, how many
-- The fields are those of admit.lua.

local now = tonumber(ARGV[1])
if now == 0 then
	local t = redis.call('TIME')
	now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local rates, slots, units = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local at = 4

local function arg()
	at = at + 1
	return ARGV[at]
end

local function num()
	at = at + 1
	return tonumber(ARGV[at])
end

for _ = 1, rates do
	local field, back, mine, spent = 'r' .. arg(), num(), arg(), num()
	local value = redis.call('HGET', KEYS[1], field)
	if value then
		local full, interval, rest = string.match(value, '^(%d+) (%d+)(.*)$')
		full, interval = tonumber(full), tonumber(interval)
		local left = ''
		local settle = 0
		for id, tokens, fin in string.gmatch(rest, ' (%w+):(%d+):(%d+)') do
			if tonumber(fin) <= now then
				full = math.max(full, tonumber(fin)) + tonumber(tokens) * interval
			elseif id == mine then
				settle = math.min(spent, tonumber(tokens))
			else
				left = left .. ' ' .. id .. ':' .. tokens .. ':' .. fin
			end
		end
		full = math.max(full, now) + settle * interval
		full = math.max(full - back * interval, now)
		redis.call('HSET', KEYS[1], field, string.format('%d %d', full, interval) .. left)
	end
end
for i = 1, slots do
	redis.call('ZREM', KEYS[1 + i], arg())
end
for _ = 1, units do
	local field, from, to, n = 'u' .. arg(), arg(), arg(), num()
	local value = redis.call('HGET', KEYS[1], field)
	if value then
		local start, fin, used, seeded = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
		if start == from and fin == to then
			used = math.max(tonumber(used) - n, 0)
			redis.call('HSET', KEYS[1], field, string.format('%s %s %d %s', start, fin, used, seeded))
		end
	end
end
return { 1 }
