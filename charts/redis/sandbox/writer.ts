import type { Writer } from '../../sandbox-recipe.ts';

/** One atomic transfer between a hundred accounts of 1000 each: the sum stays 100000. */
const transfer = `
if redis.call('EXISTS', 'ledger:accounts') == 0 then for i = 0, 99 do redis.call('HSET', 'ledger:accounts', i, 1000) end end
local id = redis.call('INCR', 'ledger:last')
local amount = id % 9 + 1
redis.call('HINCRBY', 'ledger:accounts', id % 100, -amount)
redis.call('HINCRBY', 'ledger:accounts', id * 7 % 100, amount)
redis.call('ZADD', 'ledger:transfers', id, id)
return id`;

const totals = `
local sum = 0
for _, balance in ipairs(redis.call('HVALS', 'ledger:accounts')) do sum = sum + balance end
return redis.call('ZCARD', 'ledger:transfers') .. ' ' .. sum .. ' ' .. (redis.call('GET', 'ledger:last') or 0)`;

/** The continuous writer of the demo. StatefulSet pods are called <Service>-<ordinal>. */
export const writer: Writer = {
  command: [
    'sh',
    '-c',
    `trap 'exit 0' TERM
export REDISCLI_AUTH="$REDIS_PASSWORD"
while :; do
  id=$(redis-cli --no-auth-warning -h "\${HOSTNAME%-*}" EVAL "$1" 0 2>/dev/null)
  case $id in '' | *[!0-9]*) sleep 0.2 ;; *) echo "$id" ;; esac
  sleep 0.3
done`,
    'sh',
    transfer,
  ],
  check: ['sh', '-c', 'REDISCLI_AUTH="$REDIS_PASSWORD" exec redis-cli --no-auth-warning EVAL "$1" 0', 'sh', totals],
};
