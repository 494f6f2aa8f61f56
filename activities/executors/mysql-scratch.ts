import { setTimeout as sleep } from 'node:timers/promises';
import { compareFacts, describeDifferences, type Facts } from '../../model/facts.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import type { CompareRule } from '../../model/recovery-plan.ts';
import { identifier, type NamedSchema, readRowFacts, readTableFacts } from '../facts/mysql.ts';
import { renameSchemas } from '../facts/mysql-dump-text.ts';
import { fromPathSegment } from '../facts/path-segment.ts';
import { dropScratch, requireNoForeignReferences, withMysqlSession } from './mysql-exchange.ts';
import { loadCommand, type MysqlServer, mysqlFailure } from './mysql-server.ts';
import { streamToPod } from './pod-exec.ts';

/** When scratch schemas of a load that broke are dropped, in milliseconds after the time before. */
const dropAgainAfterMs = [0, 500, 2_000];

/** What fills scratch schemas, and what must be in them then. */
export type ScratchSource = {
  readonly generation: string;
  readonly capturedFacts: Facts;
  read(stream: string): { bytes: AsyncIterable<Uint8Array> };
};

/**
 * Fills the scratch schemas of a generation from the stream `data` and compares them with what was captured; they are
 * dropped again where they are something else. Throws: FactsDiffer, RestoreFailed, DiskFull, and what reading throws.
 */
export async function fillScratch(
  server: MysqlServer,
  source: ScratchSource,
  schemas: readonly NamedSchema[],
  rules: readonly CompareRule[],
): Promise<void> {
  await dropScratch(server, source.generation);
  await requireNoForeignReferences(server, schemas);
  try {
    await makeSequences(server, source.capturedFacts);
    await load(server, source, schemas);
    await assertEqual(server, source.capturedFacts, schemas, rules);
  } catch (error) {
    await dropForGood({ ...server, signal: new AbortController().signal }, source.generation);
    throw error;
  }
}

/**
 * Drops scratch schemas after a load that broke. A client in the pod that has just begun still runs what it was sent before,
 * and makes them again.
 */
async function dropForGood(server: MysqlServer, generation: string): Promise<void> {
  for (const pauseMs of dropAgainAfterMs) {
    await sleep(pauseMs);
    await dropScratch(server, generation).catch(() => undefined);
  }
}

async function load(server: MysqlServer, source: ScratchSource, schemas: readonly NamedSchema[]): Promise<void> {
  const scratch = new Map(schemas.map(({ shown, actual }) => [shown, actual]));
  const bytes = renameSchemas(source.read('data').bytes, (name) => scratch.get(name));
  try {
    await streamToPod(server.access, server.pod, loadCommand(server), bytes, {}, server.signal);
  } catch (error) {
    if (error instanceof LifeboatFailure && error.code === 'RestoreFailed')
      throw mysqlFailure('restore data', error.message);
    throw error;
  }
}

async function assertEqual(
  server: MysqlServer,
  facts: Facts,
  schemas: readonly NamedSchema[],
  rules: readonly CompareRule[],
): Promise<void> {
  const captured = Object.fromEntries(
    Object.entries(facts).filter(([path]) => /^db\/[^/]+\/(table|sequence)\//.test(path)),
  );
  const restored = await withMysqlSession(server, async (ask) => ({
    ...(await readTableFacts(ask, schemas)),
    ...(await readRowFacts(ask, schemas)),
  }));
  const comparison = compareFacts(captured, restored, rules);
  if (comparison.equal) return;
  throw failure('FactsDiffer', { message: `compare tables: ${describeDifferences(comparison)}` });
}

/** A default that draws from a sequence names it with its live schema, where it must be when the table is made. */
async function makeSequences(server: MysqlServer, facts: Facts): Promise<void> {
  const needed = Object.keys(facts).flatMap((path) => {
    const [, schema, name] = /^db\/([^/]+)\/sequence\/([^/]+)\/definition$/.exec(path) ?? [];
    return schema === undefined || name === undefined
      ? []
      : [[fromPathSegment(schema), fromPathSegment(name)] as const];
  });
  if (needed.length === 0) return;
  const make = needed.map(
    ([schema, name]) =>
      `CREATE DATABASE IF NOT EXISTS ${identifier(schema)}; CREATE SEQUENCE IF NOT EXISTS ${identifier(schema, name)};`,
  );
  await withMysqlSession(server, async (ask) => await ask(make.join('\n')));
}
