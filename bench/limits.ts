import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Artifact } from '../model/recovery-point.ts';
import { lifeboatCommand } from './contenders.ts';
import { writeDump } from './data.ts';
import type { Lags } from './data-path.ts';
import { openDelayedWay } from './delayed.ts';
import { type BenchTool, circumstances, note, openBenchGround } from './ground.ts';
import { type Cost, measure } from './measure.ts';
import { describeLimits, type Limit, median } from './results.ts';

/**
 * `npm run bench:limits [-- --gates] [--megabytes N] [--rounds N] [--json FILE]`: what the data path of Lifeboat must stay within,
 * each beside its goal: requests, bytes, processor time, memory, the lag of the event loop, latency and small backups. A limit with a
 * gate fails the command where it is exceeded; these do not depend on what else the machine does. `--gates` measures them alone. The
 * gates are for the default size: of less data the start of a process is a larger part.
 */
const { values } = parseArgs({
  options: {
    gates: { type: 'boolean', default: false },
    megabytes: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
  },
});
const megabytes = Number(values.megabytes ?? 1_000);
const rounds = Number(values.rounds ?? (values.gates ? 1 : 5));
const mib = 2 ** 20;
const tools: readonly BenchTool[] = values.gates ? ['zstd'] : ['zstd', 'restic'];
const ground = await openBenchGround(tools, async (path) => await writeDump(path, megabytes, 1));
const { data, directory, endpoint, env } = ground;
const record = join(directory, 'record.json');
const lifeboat = lifeboatCommand(ground.node);
const backup = `cat ${data} | ${lifeboat} backup ${record}`;
const reference = `cat ${data} | zstd -q -1 -T2 -c | cat >/dev/null`;

try {
  const limits = [...(await ofOneStream()), ...(await ofManyStreams())];
  if (!values.gates) limits.push(...(await ofLength()), ...(await ofOneProcessor()), ...(await ofWaiting()));
  const results = { ...(await circumstances(tools)), bytes: ground.bytes, rounds, limits };
  process.stdout.write(`${describeLimits(results)}\n`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
  const exceeded = limits.filter(({ value, gate }) => gate !== undefined && value > gate);
  for (const { name, value, gate } of exceeded)
    note(`${name}: ${value.toFixed(2)} is more than ${String(gate)}, which it must not exceed`);
  if (exceeded.length > 0) process.exitCode = 1;
} finally {
  await ground.close();
}

async function ofOneStream(): Promise<Limit[]> {
  const packedBytes = Number(await outputOf(`zstd -q -1 -c ${data} | wc -c`));
  let requests = 0;
  const costs = await inTurn({
    reference,
    backup: async () => {
      const before = await countRequests();
      const cost = await measure(backup, env);
      requests = (await countRequests()) - before;
      return cost;
    },
    verify: `${lifeboat} verify ${record}`,
  });
  const { storedBytes } = Artifact.parse(JSON.parse(await readFile(record, 'utf8')));
  return [
    {
      name: 'requests of a backup, above 6',
      ...{ unit: 'per stored GB', value: (requests - 6) / (storedBytes / 1e9), goal: 125, gate: 125 },
    },
    { name: 'stored bytes', unit: '× zstd -1', value: storedBytes / packedBytes, goal: 1.01, gate: 1.01 },
    {
      name: 'processor time of a backup',
      ...{
        unit: '× cat | zstd -1 -T2 | cat',
        value: inRound(costs.backup, costs.reference, cpuOf),
        goal: 1.45,
        gate: 2.5,
      },
    },
    {
      name: 'processor time of a verification',
      ...{ unit: '× cat | zstd -1 -T2 | cat', value: inRound(costs.verify, costs.reference, cpuOf), gate: 1.5 },
    },
    { name: 'memory of a backup', unit: 'MiB', value: peak(costs.backup), goal: 240, gate: 240 },
    { name: 'memory of a verification', unit: 'MiB', value: peak(costs.verify), goal: 240, gate: 220 },
  ];
}

async function ofManyStreams(): Promise<Limit[]> {
  const file = join(directory, 'stream');
  await writeDump(file, Math.min(megabytes, 300), 2);
  const streams = (count: number): string => `${lifeboat} streams ${record} ${String(count)} ${file}`;
  const costs = await inTurn({ one: streams(1), five: streams(5) });
  await measure(`${lifeboat} lag ${record} 4 ${file}`, env);
  const { fresh, running } = JSON.parse(await readFile(record, 'utf8')) as Lags;
  return [
    {
      name: 'memory of each further stream',
      ...{ unit: 'MiB', value: (peak(costs.five) - peak(costs.one)) / 4, goal: 16, gate: 20 },
    },
    { name: 'lag of the event loop, four streams, p99', unit: 'ms', value: running.p99Ms, goal: 25 },
    { name: 'lag of the event loop, four streams, most', unit: 'ms', value: running.maxMs, goal: 100 },
    { name: 'the same of the first ones of a process, p99', unit: 'ms', value: fresh.p99Ms, goal: 25 },
    { name: 'the same of the first ones of a process, most', unit: 'ms', value: fresh.maxMs, goal: 100 },
  ];
}

/** A stream of eight times the length, out of the same file. */
async function ofLength(): Promise<Limit[]> {
  const eight = Array.from({ length: 8 }, () => data).join(' ');
  const costs = await inTurn({ one: backup, long: `cat ${eight} | ${lifeboat} backup ${record}` }, Math.min(rounds, 3));
  return [
    {
      name: 'growth of memory, eight times the length',
      ...{ unit: '%', value: (median(costs.long.map(peakOf)) / median(costs.one.map(peakOf)) - 1) * 100, goal: 5 },
    },
  ];
}

async function ofOneProcessor(): Promise<Limit[]> {
  const costs = await inTurn({
    reference: `cat ${data} | taskset -c 0 zstd -q -1 -c | cat >/dev/null`,
    backup: `cat ${data} | taskset -c 0 ${lifeboat} backup ${record}`,
  });
  return [
    {
      name: 'time of a backup on one processor',
      ...{ unit: '× zstd -1 on it', value: inRound(costs.backup, costs.reference, wallOf), goal: 1 / 0.95 },
    },
    { name: 'memory of a backup on one processor', unit: 'MiB', value: peak(costs.backup), goal: 130 },
  ];
}

async function ofWaiting(): Promise<Limit[]> {
  const [near, far] = [await openDelayedWay(endpoint, 0), await openDelayedWay(endpoint, 50)];
  try {
    const over = (way: string) => () => measure(backup, { ...env, BENCH_ENDPOINT: way });
    const costs = await inTurn({ near: over(near.endpoint), far: over(far.endpoint) });
    const [fixed, smallest] = [join(directory, 'small'), 10];
    await writeDump(fixed, smallest, 3);
    await measure(`${lifeboat} small ${record} 20 ${fixed}`, env);
    const own = median(JSON.parse(await readFile(record, 'utf8')) as number[]);
    const restic = `${env['BENCH_RESTIC'] ?? ''} -q -r s3:${endpoint}/${env['BENCH_BUCKET'] ?? ''}/small`;
    await measure(`${restic} init >/dev/null`, env);
    const theirs: number[] = [];
    for (let turn = 0; turn < rounds; turn += 1) {
      await writeDump(fixed, smallest, 4 + turn);
      theirs.push((await measure(`cat ${fixed} | ${restic} backup --stdin`, env)).wallMs);
    }
    return [
      {
        name: 'time that 50 ms of latency cost',
        ...{ unit: '%', value: (inRound(costs.far, costs.near, wallOf) - 1) * 100, goal: 5 },
      },
      {
        name: `backup of ${String(smallest)} MB, in a process that runs`,
        ...{ unit: '× restic backup --stdin', value: own / median(theirs), goal: 0.3 },
      },
    ];
  } finally {
    await near.stop();
    await far.stop();
  }
}

/** Each of some commands once in each round, after a round that is not counted. */
async function inTurn<Name extends string>(
  ways: Readonly<Record<Name, string | (() => Promise<Cost>)>>,
  turns = rounds,
): Promise<Record<Name, Cost[]>> {
  const costs = Object.fromEntries(Object.keys(ways).map((name) => [name, []])) as unknown as Record<Name, Cost[]>;
  for (let round = 0; round <= turns; round += 1)
    for (const name of Object.keys(ways) as Name[]) {
      const way = ways[name];
      const cost = typeof way === 'string' ? await measure(way, env) : await way();
      if (round > 0) costs[name].push(cost);
      note(`${round === 0 ? 'warm-up' : `round ${String(round)}`}  ${name}: ${(cost.wallMs / 1_000).toFixed(2)} s`);
    }
  return costs;
}

function wallOf({ wallMs }: Cost): number {
  return wallMs;
}

function cpuOf({ cpuMs }: Cost): number {
  return cpuMs;
}

function peakOf({ peakBytes }: Cost): number {
  return peakBytes;
}

/** How many times as much one cost as the other: the median of their rounds, since a machine is faster in one than in the next. */
function inRound(one: readonly Cost[], other: readonly Cost[], of: (cost: Cost) => number): number {
  return median(one.map((cost, round) => of(cost) / of(other[round] ?? cost)));
}

function peak(costs: readonly Cost[]): number {
  return Math.max(...costs.map(peakOf)) / mib;
}

async function countRequests(): Promise<number> {
  return (await readFile(ground.accessLog, 'utf8')).split('\n').length - 1;
}

async function outputOf(script: string): Promise<string> {
  const file = join(directory, 'output');
  await measure(`${script} >${file}`, env);
  return await readFile(file, 'utf8');
}
