-- Keeps a slot for another time, and answers 0 when it has ended.
--
-- KEYS: the tenant's hash, then the set of held slots. ARGV: the time in microseconds, or 0
-- for the server's; the slot's id; how long from now, in microseconds; the concurrency's field
-- in the hash, see admit.lua.

local now = tonumber(ARGV[1])
if now == 0 then
	local t = redis.call('TIME')
	now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local fin = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not fin or tonumber(fin) <= now then
	return { 0 }
end
local ttl = tonumber(ARGV[3])
if now + ttl < tonumber(fin) then
	redis.call('HDEL', KEYS[1], ARGV[4]) -- a slot of the set ends before it says
end
redis.call('ZADD', KEYS[2], string.format('%d', now + ttl), ARGV[2])
local ms = math.ceil(ttl / 1000) + 1
if redis.call('PTTL', KEYS[2]) < ms then
	redis.call('PEXPIRE', KEYS[2], ms)
end
return { 1 }
