import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Contender, type Ground, streamContenders, treeContenders } from './contenders.ts';
import { writeDump, writeTree } from './data.ts';
import { benchTools, circumstances, note, openBenchGround } from './ground.ts';
import { type Cost, measure } from './measure.ts';
import { plotResults } from './plot.ts';
import { describeResults, type Results, type Row } from './results.ts';

/**
 * `npm run bench [-- --quick] [--megabytes N | --files N] [--rounds N] [--seed N] [--json FILE] [--plot FILE.svg]`: the data path of
 * Lifeboat beside the tools that people use for the same, on the same seeded data and the same S3 server, in rounds that take turns.
 * With `--files` the data are so many small files in place of one stream.
 */
const options = readOptions();
const data = options.files === undefined ? ofStream(options.megabytes) : ofTree(options.files);
const ground = await openBenchGround(benchTools, async (path) => {
  note(`data: ${data.title}, seed ${String(options.seed)}`);
  return await data.write(path);
});
try {
  const results: Results = {
    ...(await circumstances(benchTools)),
    bytes: ground.bytes,
    ...(options.files === undefined ? {} : { files: options.files }),
    rounds: options.rounds,
    rows: await takeTurns(ground, ground.bytes),
  };
  process.stdout.write(`${describeResults(results)}\n`);
  if (options.plot !== undefined) await writeFile(options.plot, plotResults(results));
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
} finally {
  await ground.close();
}

/** What the contenders work on, and who they are. */
type Data = {
  readonly title: string;
  /** @returns its bytes */
  readonly write: (path: string) => Promise<number>;
  readonly contenders: (ground: Ground) => readonly Contender[];
};

function ofStream(megabytes: number): Data {
  const write = (path: string): Promise<number> => writeDump(path, megabytes, options.seed);
  return { title: `${String(megabytes)} MB`, write, contenders: streamContenders };
}

function ofTree(files: number): Data {
  const write = (path: string): Promise<number> => writeTree(path, files, options.seed);
  return { title: `${String(files)} files`, write, contenders: treeContenders };
}

/** Every contender once in each round, after a round that is not counted. */
async function takeTurns(ground: Ground, bytes: number): Promise<Row[]> {
  const rows = data.contenders(ground).map((contender) => ({ ...contender, costs: [] as Cost[] }));
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

type Options = {
  readonly megabytes: number;
  readonly files: number | undefined;
  readonly rounds: number;
  readonly seed: number;
  readonly json: string | undefined;
  readonly plot: string | undefined;
};

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      megabytes: { type: 'string' },
      files: { type: 'string' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
      plot: { type: 'string' },
    },
  });
  const number = (name: 'megabytes' | 'files' | 'rounds' | 'seed', otherwise: number): number => {
    const given = Number(values[name] ?? otherwise);
    if (!Number.isInteger(given) || given < 1) throw new Error(`--${name}: a whole number above 0`);
    return given;
  };
  return {
    megabytes: number('megabytes', values.quick ? 200 : 1_000),
    files: values.files === undefined ? undefined : number('files', 0),
    rounds: number('rounds', values.quick ? 2 : 5),
    seed: number('seed', 1),
    json: values.json,
    plot: values.plot,
  };
}
