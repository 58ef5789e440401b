-- One transition of one case: apply it and append its audit entry, if the audit head is the one it was decided on.
-- KEYS: the file's hash, the audit list, the list of notices, then the blobs that change.
-- ARGV: expected head, new head, audit entry, not_after (ms since 1970 by this store's clock; 0: none),
--       number of fields, that many pairs of field and value, number of notices, that many notices,
--       then a value for each blob (empty: delete).
-- Answers done, conflict or late.
local head = redis.call('HGET', KEYS[1], 'head') or ''
if head == ARGV[2] then
    -- This very commit again, after a lost answer. The write gives WAITAOF on this connection something to wait for.
    redis.call('HSET', KEYS[1], 'head', head)
    return 'done'
end
if head ~= ARGV[1] then
    return 'conflict'
end
local not_after = tonumber(ARGV[4])
if not_after > 0 then
    local time = redis.call('TIME')
    if tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) >= not_after then
        return 'late'
    end
end
local at = 6
for _ = 1, tonumber(ARGV[5]) do
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    at = at + 2
end
for notice = at + 1, at + tonumber(ARGV[at]) do
    redis.call('RPUSH', KEYS[3], ARGV[notice])
end
at = at + 1 + tonumber(ARGV[at])
for blob = 4, #KEYS do
    if ARGV[at] == '' then
        redis.call('DEL', KEYS[blob])
    else
        redis.call('SET', KEYS[blob], ARGV[at])
    end
    at = at + 1
end
local entries = redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'head', ARGV[2], 'entries', entries)
return 'done'
