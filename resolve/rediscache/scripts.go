package rediscache

import "github.com/redis/go-redis/v9"

// A value is "1", the version in 16 hexadecimal digits, the server's time in ms at which it
// was read in 14 decimal ones, and the tenant as JSON, or nothing where only the version is
// known. Versions of a fixed length compare as text: Lua's numbers are exact to 2^53 alone.
// An alias is "a", the version, and the tenant's id.
//
// Each script touches keys of one hash tag. Where a slot is being moved, the tenant behind
// an alias may be on another node than the alias, and is then not found.

// getScript reads what KEYS[1] holds or leads to; ARGV[1] is the beginning of the key of a
// tenant. With ARGV[2] not empty an alias counts for its own version alone. It answers with
// the value and the time. O(1).
var getScript = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if not value then return false end
if string.sub(value, 1, 1) == 'a' then
	local version = string.sub(value, 2, 17)
	value = redis.call('GET', ARGV[1] .. string.sub(value, 18, 53))
	if not value or (ARGV[2] ~= '' and string.sub(value, 2, 17) ~= version) then return false end
end
local now = redis.call('TIME')
return {value, string.format('%d%03d', now[1], math.floor(now[2] / 1000))}
`)

// setScript keeps a tenant at KEYS[1], unless a newer version is there, or the same one that
// was read later (a version alone was read at 0), and makes the other keys its aliases.
// ARGV: version, body, age in ms, time to live in ms, id, time to live of aliases in ms. O(1).
var setScript = redis.NewScript(`
local now = redis.call('TIME')
local read = string.format('%014d', now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[3])
local old = redis.call('GET', KEYS[1])
local newer = true
if old and string.sub(old, 1, 1) == '1' then
	local version = string.sub(old, 2, 17)
	if version > ARGV[1] then return 0 end
	newer = version < ARGV[1] or string.sub(old, 18, 31) < read
end
if newer then redis.call('SET', KEYS[1], '1' .. ARGV[1] .. read .. ARGV[2], 'PX', ARGV[4]) end
for i = 2, #KEYS do redis.call('SET', KEYS[i], 'a' .. ARGV[1] .. ARGV[5], 'PX', ARGV[6]) end
return 1
`)

// forgetScript leaves of KEYS[1] the version ARGV[1] alone, for ARGV[2] ms, if what is there
// is older; for version 0 it leaves nothing of a tenant. O(1).
var forgetScript = redis.NewScript(`
local old = redis.call('GET', KEYS[1])
local version = ''
if old and string.sub(old, 1, 1) == '1' then version = string.sub(old, 2, 17) end
if ARGV[1] == '0000000000000000' then
	if old and #old ~= 31 then redis.call('DEL', KEYS[1]) end
elseif version < ARGV[1] then
	redis.call('SET', KEYS[1], '1' .. ARGV[1] .. '00000000000000', 'PX', ARGV[2])
end
return 1
`)
