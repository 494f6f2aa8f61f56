import { expect } from 'vitest';
import { type FailureCode, failures, LifeboatFailure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { artifactsOf, type Manifest } from '../../model/recovery-point.ts';
import { checkStore } from '../../transfer/check-store.ts';
import { collectGarbage } from '../../transfer/collect-garbage.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { findPoint, readChain } from '../../transfer/points.ts';
import { readBytes } from '../../transfer/read-artifact.ts';
import type { Store } from '../../transfer/store.ts';
import { release } from '../transfer/test-points.ts';
import { contentsOf, sha256 } from '../transfer/test-sources.ts';

const platform = 'shop';
/** After the two weeks for which a folder with all but its manifest is left. */
const afterAllWaitsMs = 15 * 24 * 60 * 60 * 1000;

/** What an experiment has left, and what it knows of it. */
export type Outcome = {
  /** Without faults. */
  readonly store: Store;
  readonly kit: RecoveryKit;
  /** The plaintext of each point that must be there, in the order of the chain; no other may be. */
  readonly points: readonly { readonly id: string; readonly plain: Buffer }[];
  /** Attempts were killed: what they left is for the collection of garbage. Otherwise nothing may be left before it. */
  readonly killed?: boolean;
  /** One of two attempts of a point was killed between writing its RESTORE.md and comparing it with the manifest. */
  readonly isGuideOpen?: boolean;
};

/**
 * The invariants that hold after every case. I1: a visible manifest is verified, its bytes are the captured ones, and its
 * RESTORE.md is the one that it names. I3: what has no manifest is not listed, keeps no upload open, and goes with the garbage.
 * I4: one manifest for each point.
 */
export async function expectInvariants(of: Outcome): Promise<void> {
  const { store, kit, points } = of;
  const trustedKeys = [kit.signing.publicKey];
  const asked = { store, trustedKeys, platform, releases: [release], now: new Date() };
  const chain = await readChain({ store, trustedKeys, release });
  expect(chain.flatMap(({ failure }) => failure ?? [])).toEqual([]);
  expect(chain.map(({ document }) => document?.id).reverse()).toEqual(points.map(({ id }) => id));
  for (const { document } of chain) if (document !== undefined) await expectWhole(of, document);
  if (points.length === 0)
    await expect(findPoint({ store, trustedKeys, release, point: 'latest' })).rejects.toBeInstanceOf(LifeboatFailure);
  if (of.killed !== true) expect(await store.listOpenUploads('')).toEqual([]);
  const { findings } = await checkStore(asked);
  expect(findings.filter(({ kind }) => kind === 'damage')).toEqual([]);

  const run = { workflowId: 'seeded', runId: 'seeded' };
  await collectGarbage({ ...asked, kit, run, now: new Date(Date.now() + afterAllWaitsMs), dryRun: false });
  const named = chain.flatMap(({ document, key }) => (document === undefined ? [] : [key, ...keysOf(document)]));
  const left = (await contentsOf(store)).filter((key) => !key.startsWith('tombstones/'));
  expect(left.sort()).toEqual(named.sort());
}

/** Every object that a point is made of. */
export function keysOf(manifest: Manifest): string[] {
  const folder = pointPrefix(release, manifest.id);
  return [
    ...artifactsOf(manifest).flatMap(({ segments }) => segments.map(({ key }) => key)),
    ...['RESTORE.md', 'RESTORE.md.sig', 'SHA256SUMS', 'databases.component.json'].map((name) => `${folder}/${name}`),
  ];
}

async function expectWhole({ store, kit, points, isGuideOpen }: Outcome, manifest: Manifest): Promise<void> {
  const plain = points.find(({ id }) => id === manifest.id)?.plain;
  const read = new Map<string, Buffer>();
  for (const artifact of artifactsOf(manifest))
    read.set(artifact.name, await readBytes({ store, artifact, identity: kit.identity }));
  const dump = read.get('databases.dump') ?? Buffer.alloc(0);
  // not toEqual: it would print millions of bytes
  expect(`${String(dump.byteLength)} bytes, ${sha256(dump)}`).toBe(
    `${String(plain?.byteLength)} bytes, ${sha256(plain ?? Buffer.alloc(0))}`,
  );
  if (isGuideOpen === true) return;
  expect(sha256(await store.get(manifest.restoreGuide.key))).toBe(manifest.restoreGuide.sha256);
  const folder = pointPrefix(release, manifest.id);
  const lines = (await store.get(`${folder}/SHA256SUMS`)).toString().trim().split('\n');
  const segments = artifactsOf(manifest).flatMap((artifact) => artifact.segments);
  expect(lines).toEqual(segments.map(({ key, storedSha256 }) => `${storedSha256}  ${key.slice(folder.length + 1)}`));
}

/** I7: a failure of the table, one of these, whose message names the cause and which has a next step. */
export function expectFailure(error: unknown, codes: readonly FailureCode[], message = /./): LifeboatFailure {
  if (!(error instanceof LifeboatFailure))
    throw new Error(`no failure of the table: ${String(error)}`, { cause: error });
  expect(codes).toContain(error.code);
  expect(error.message).toMatch(message);
  expect(failures[error.code].hint).toMatch(/\w+ .*\./);
  expect(error.hint).toBe(failures[error.code].hint);
  return error;
}

/** What a promise is rejected with. @throws Error when it is not */
export async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  const end = await work.then(
    () => ({ error: undefined, done: true }),
    (error: unknown) => ({ error, done: false }),
  );
  if (end.done) throw new Error('it ended well and must not');
  return end.error;
}
