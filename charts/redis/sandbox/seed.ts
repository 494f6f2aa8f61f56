import type { SeedPod } from '../../sandbox-recipe.ts';

/** About five thousand keys of every type, with times to live, a second database and a function. */
export async function seed(pod: SeedPod): Promise<void> {
  const said = await pod.run(
    redisCli('--pipe'),
    [...dataCommands(), ['SELECT', '1'], ...secondDatabase()].map(resp).join(''),
  );
  if (!/errors: 0,/.test(said)) throw new Error(`seed redis: ${said}`);
  await pod.run(redisCli('-x FUNCTION LOAD REPLACE'), library);
}

function redisCli(args: string): string[] {
  return ['sh', '-c', `REDISCLI_AUTH="$REDIS_PASSWORD" exec redis-cli --no-auth-warning ${args}`];
}

/** A command in the protocol of Redis, which takes any bytes. */
function resp(command: readonly (string | number)[]): string {
  return `*${String(command.length)}\r\n${command.map((word) => `$${String(Buffer.byteLength(String(word)))}\r\n${String(word)}\r\n`).join('')}`;
}

function* dataCommands(): Generator<(string | number)[]> {
  for (let i = 0; i < 2500; i += 1)
    yield ['SET', `page:${String(i)}`, `<html>${'x'.repeat(i % 300)} Zoë "${String(i)}"\r\n</html>`];
  for (let i = 0; i < 800; i += 1) yield ['SET', `session:${String(i)}`, `user ${String(i)}`, 'EX', 86_400 + i * 60];
  for (let i = 0; i < 600; i += 1)
    yield ['HSET', `user:${String(i)}`, 'name', `User ${String(i)}`, 'visits', i * 3, 'naïve field', '\t\n'];
  for (let i = 0; i < 200; i += 1)
    yield ['RPUSH', `queue:${String(i)}`, ...Array.from({ length: 1 + (i % 40) }, (_, n) => `job ${String(n)}`)];
  for (let i = 0; i < 200; i += 1)
    yield ['SADD', `tags:${String(i)}`, ...Array.from({ length: 1 + (i % 30) }, (_, n) => `tag${String(n * (i + 1))}`)];
  for (let i = 0; i < 200; i += 1)
    yield [
      'ZADD',
      `board:${String(i)}`,
      ...Array.from({ length: 1 + (i % 25) }, (_, n) => [n / 3 - i, `player${String(n)}`]).flat(),
    ];
  // Beyond the limits of the compact encodings.
  yield ['HSET', 'big:hash', ...Array.from({ length: 2000 }, (_, n) => [`f${String(n)}`, n]).flat()];
  yield ['ZADD', 'big:board', ...Array.from({ length: 2000 }, (_, n) => [n * 1.5, `m${String(n)}`]).flat()];
  for (let i = 0; i < 300; i += 1)
    yield ['XADD', 'orders', `${String(1_700_000_000_000 + i)}-0`, 'order', i, 'total', i * 7];
  yield ['XGROUP', 'CREATE', 'orders', 'billing', '0'];
  yield ['XREADGROUP', 'GROUP', 'billing', 'worker-1', 'COUNT', 25, 'STREAMS', 'orders', '>'];
  yield ['XACK', 'orders', 'billing', '1700000000003-0', '1700000000004-0'];
  for (let i = 0; i < 50; i += 1) yield ['SETBIT', 'bitmap', i * 977, 1];
  yield ['PFADD', 'visitors', ...Array.from({ length: 500 }, (_, n) => `v${String(n)}`)];
  yield ['GEOADD', 'places', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'];
  yield ['SET', 'counter', 41];
  yield ['INCR', 'counter'];
  yield ['SET', 'odd key; "quoted" ü\n', ''];
}

function* secondDatabase(): Generator<(string | number)[]> {
  for (let i = 0; i < 300; i += 1)
    yield ['SET', `cart:${String(i)}`, `{"items":${String(i)}}`, ...(i % 2 === 0 ? ['EX', 604_800] : [])];
}

const library = `#!lua name=shop
redis.register_function('visits', function(keys, args) return redis.call('HINCRBY', keys[1], 'visits', args[1]) end)
`;
