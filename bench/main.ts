import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { contenders, type Ground } from './contenders.ts';
import { benchTools, circumstances, note, openBenchGround } from './ground.ts';
import { type Cost, measure } from './measure.ts';
import { describeResults, type Results, type Row } from './results.ts';

/**
 * `npm run bench [-- --quick] [--megabytes N] [--rounds N] [--seed N] [--json FILE]`: the data path of Lifeboat beside the tools that
 * people use for the same, on the same seeded data and the same S3 server, in rounds that take turns.
 */
const options = readOptions();
const ground = await openBenchGround(options.megabytes, options.seed, benchTools);
try {
  const results: Results = {
    ...(await circumstances(benchTools)),
    bytes: ground.bytes,
    rounds: options.rounds,
    rows: await takeTurns(ground, ground.bytes),
  };
  process.stdout.write(`${describeResults(results)}\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
} finally {
  await ground.close();
}

/** Every contender once in each round, after a round that is not counted. */
async function takeTurns(ground: Ground, bytes: number): Promise<Row[]> {
  const rows = contenders(ground).map((contender) => ({ ...contender, costs: [] as Cost[] }));
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const { what, name, before, script, costs } of rows) {
      if (before !== undefined) await measure(before, ground.env);
      const cost = await measure(script, ground.env);
      if (round > 0) costs.push(cost);
      note(
        `${round === 0 ? 'warm-up' : `round ${String(round)}`}  ${what} ${name}: ${(bytes / 1e3 / cost.wallMs).toFixed(0)} MB/s`,
      );
    }
  }
  return rows.map(({ what, name, costs }) => ({ what, name, costs }));
}

function readOptions(): { megabytes: number; rounds: number; seed: number; json: string | undefined } {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      megabytes: { type: 'string' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const number = (name: 'megabytes' | 'rounds' | 'seed', otherwise: number): number => {
    const given = Number(values[name] ?? otherwise);
    if (!Number.isInteger(given) || given < 1) throw new Error(`--${name}: a whole number above 0`);
    return given;
  };
  return {
    megabytes: number('megabytes', values.quick ? 200 : 1_000),
    rounds: number('rounds', values.quick ? 2 : 5),
    seed: number('seed', 1),
    json: values.json,
  };
}
