-- Decides on all limits of a request and takes what they cost, or nothing.
--
-- KEYS: the tenant's hash, then the set of held slots of each concurrency asked.
-- ARGV: the time in microseconds, or 0 for the server's; milliseconds to keep the tenant;
-- how many rates and units; flags of each limit, a digit of base 32, or nothing when all are
-- 0; the fields of all rates, units and concurrencies; then
--   for each rate: interval, time that all its tokens take, time that the cost takes
--   for all units: start, end, limit, cost, seed, greatest age
--   for each concurrency: limit, slot id or nothing, ttl
--   for each rate with flag 4: lease id, used, want, ttl
-- Flags: 1 at most, 2 shadow, 4 lease, 8 soft, 16 seeded. Times are microseconds, those of
-- periods seconds.
--
-- Fields of the hash: "r" and a rate's name: when it is full (16 digits), interval, leases
-- as id:tokens:end; "u" and the units' name: start, end, used, when it was seeded; "c" and a
-- concurrency's name: a time (16 digits) and a ttl, until then no slot of the set ends, and
-- the set outlives slots of that ttl; "e": until when the hash is kept. bucket.go and
-- count.go say what they mean.
--
-- The answer: whether it is admitted; then as it was before anything was taken
--   for each rate: until it is full
--   for all units: used, -1 without a count
--   for each concurrency: slots held; -1 less those for one that refuses
--   for each rate of which others have leases: its number, time that the leases' tokens take
-- What follows from these the caller works out. What makes this quick is few calls of Redis,
-- few arguments and answers, and tables only for what is rare.

local argv, call, sub, format = ARGV, redis.call, string.sub, string.format
local hash, now = KEYS[1], argv[1]
if now == '0' then
	local t = call('TIME')
	now = t[1] * 1000000 + t[2]
end
now = now + 0
local flags = argv[5]
local plain = flags == ''
local rates, units, slots = argv[3] + 0, argv[4] + 0, #KEYS - 1
local first = 5 + rates + units + slots
local stored = call('HMGET', hash, 'e', unpack(argv, 6, first))
local admitted = true

-- Of rates, by number: time taken if not the cost's, leases of others, the time of all their
-- tokens, lease asked, and whether to write it although nothing is taken.
local taken, leases, held, asked, changed = nil, nil, nil, nil, nil
local at, lease = first, first + 3 * rates + 6 * units + 3 * slots
local answer, a = { 0 }, 1
for i = 1, rates do
	local value, every, flag = stored[1 + i], argv[at + 1], plain and 0 or tonumber(sub(flags, i, i), 32)
	local debt, others, full, take = 0, 0, argv[at + 2] + 0, argv[at + 3] + 0
	if value and sub(value, 18) == every then -- nothing but time has passed
		debt = sub(value, 1, 16) - now
		if debt < 0 then debt = 0 end
	elseif value then
		local from, old, rest = string.match(value, '^(%d+) (%d+)(.*)$')
		from = tonumber(from)
		for id, tokens, fin in string.gmatch(rest, ' (%w+):(%d+):(%d+)') do
			tokens, fin = tonumber(tokens), tonumber(fin)
			if fin <= now then
				from = math.max(from, fin) + tokens * old
			else
				leases = leases or {}
				leases[i] = leases[i] or {}
				table.insert(leases[i], { id, tokens, fin })
				others = others + tokens
			end
		end
		debt = math.max(from - now, 0)
		if old ~= every then
			-- Kept also when nothing is taken, or the old number would come back with each call.
			debt = math.ceil(debt * every / old)
			changed = changed or {}
			changed[i] = true
		end
	end
	if debt > full then
		debt = full
		changed = changed or {}
		changed[i] = true
	end
	if flag >= 4 then
		asked = asked or {}
		asked[i] = lease
		for k, other in ipairs(leases and leases[i] or {}) do
			if other[1] == argv[lease + 1] then
				debt = debt + math.min(tonumber(argv[lease + 2]), other[2]) * every
				others = others - other[2]
				table.remove(leases[i], k)
				changed = changed or {}
				changed[i] = true
				break
			end
		end
		lease = lease + 4
	end
	if others > 0 then
		held = held or {}
		held[i] = others * every
		full = full - held[i]
	end
	if debt + take > full and take > 0 then
		local got, room = 0, full - debt
		if flag % 2 == 1 and room > 0 then got = room - room % every end
		taken = taken or {}
		taken[i] = got
		if got == 0 and flag % 4 < 2 then admitted = false end
	end
	answer[a + 1] = debt
	a, at = a + 1, at + 3
end

local changes, n = { 0, 0, 0, 0, 0, 0, 0, 0 }, 0
local counts
for i = 1, units do
	counts = counts or {}
	local value, unknown = stored[1 + rates + i], 0
	local begin, last, limit, cost = tonumber(argv[at + 1]), tonumber(argv[at + 2]), tonumber(argv[at + 3]), tonumber(argv[at + 4])
	local seed, age, flag = tonumber(argv[at + 5]), tonumber(argv[at + 6]), 0
	if not plain then flag = tonumber(sub(flags, rates + i, rates + i), 32) end
	local from, to, used, seeded
	if value then
		from, to, used, seeded = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
		from, to, used, seeded = tonumber(from), tonumber(to), tonumber(used), tonumber(seeded)
	end
	local late = value and begin < from and last <= from
	local mine = value and (late or begin == from and last == to)
	local give = flag >= 16
	if mine and give and not late then
		used, seeded = math.max(used, seed), now
	elseif mine then
		if not late and age > 0 and now - seeded > age then unknown = 1 end
	elseif give then
		from, to, used, seeded = begin, last, seed, now
	else
		unknown = 1
	end
	if unknown == 1 then
		admitted, used = false, -1
	else
		local got = cost
		if cost > 0 and limit >= 0 and cost > limit - used and flag % 16 < 8 and flag % 4 < 2 then
			got = flag % 2 == 1 and math.max(limit - used, 0) or 0
			if got == 0 then admitted = false end
		end
		counts[i] = { from, to, used, seeded, got }
	end
	answer[a + 1] = used
	a, at = a + 1, at + 6
end

local stale -- sets of slots to look after
for i = 1, slots do
	local key, id, known = KEYS[1 + i], argv[at + 2], stored[1 + rates + units + i]
	local present
	if known and sub(known, 18) == argv[at + 3] and now < sub(known, 1, 16) + 0 then
		present = call('ZCARD', key)
	else
		present = call('ZCOUNT', key, now + 1, '+inf')
		known = nil
	end
	if not known or present == 0 then -- a set without slots may be new
		stale = stale or {}
		stale[i] = true
	end
	answer[a + 1] = present
	if id ~= '' and present >= argv[at + 1] + 0 then
		local fin = call('ZSCORE', key, id)
		if not fin or tonumber(fin) <= now then
			answer[a + 1] = -1 - present
			local o = rates + units + i
			if plain or tonumber(sub(flags, o, o), 32) < 2 then admitted = false end
		end
	end
	a, at = a + 1, at + 3
end

at = first
if admitted or changed then
	for i = 1, rates do
		local every, debt, got, added = argv[at + 1], answer[1 + i], 0, 0
		if admitted then
			got = taken and taken[i] or argv[at + 3] + 0
			debt = debt + got
			local o = asked and asked[i]
			if o then
				local room = argv[at + 2] - debt - (held and held[i] or 0)
				added = math.min(tonumber(argv[o + 3]), math.max((room - room % every) / every, 0))
				if added > 0 then
					leases = leases or {}
					leases[i] = leases[i] or {}
					table.insert(leases[i], { argv[o + 1], added, now + argv[o + 4] })
				end
			end
		end
		if got > 0 or added > 0 or changed and changed[i] then
			local value = format('%d ', now + debt) .. every
			for _, l in ipairs(leases and leases[i] or {}) do
				value = value .. format(' %s:%d:%d', l[1], l[2], l[3])
			end
			changes[n + 1], changes[n + 2] = argv[5 + i], value
			n = n + 2
		end
		at = at + 3
	end
end
if admitted then
	at = first + 3 * rates + 6 * units
	answer[1] = 1
	local a = 1 + rates + units
	for i = 1, slots do
		local id = argv[at + 2]
		if id ~= '' then
			local key, ttl = KEYS[1 + i], argv[at + 3]
			local unsure = stale and stale[i]
			if unsure then call('ZREMRANGEBYSCORE', key, '-inf', now) end -- before, for one that has ended may be of this id
			local added = call('ZADD', key, format('%d', now + ttl), id)
			if answer[a + i] >= 0 then answer[a + i] = answer[a + i] + added end
			if unsure then
				local ms = 2 * math.ceil(ttl / 1000) + 2
				if call('PTTL', key) < ms then call('PEXPIRE', key, ms) end -- others may last longer
				local soonest = math.min(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2], now + ttl)
				changes[n + 1], changes[n + 2] = argv[5 + rates + units + i], format('%d ', soonest) .. ttl
				n = n + 2
			end
		end
		at = at + 3
	end
end
if counts then
	for i, c in pairs(counts) do
		local got = admitted and c[5] or 0
		if got > 0 or c[4] == now then -- a seed is no use, and kept also when the request is refused
			changes[n + 1], changes[n + 2] = argv[5 + rates + i], format('%d %d %d %d', c[1], c[2], math.min(c[3] + got, 9e15), c[4])
			n = n + 2
		end
	end
end
if n > 0 then
	local kept, keep = stored[1], argv[2] + 0
	local tell = not kept or kept - now < keep * 1000
	if tell then -- for longer, so that it is not told again with each call
		keep = keep + math.ceil(keep / 2)
		changes[n + 1], changes[n + 2] = 'e', format('%d', now + keep * 1000)
		n = n + 2
	end
	call('HSET', hash, unpack(changes, 1, n))
	if tell then
		call('PEXPIRE', hash, keep)
	end
end
for i, tokens in pairs(held or {}) do
	answer[a + 1], answer[a + 2] = i, tokens
	a = a + 2
end
return answer
