import { describe, expect, it, vi } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { artifactsOf, type Manifest } from '../../model/recovery-point.ts';
import { Retention } from '../../model/retention.ts';
import { collectGarbage } from '../../transfer/collect-garbage.ts';
import { expirePoints } from '../../transfer/expire-points.ts';
import { endRunHolds, holdPoint } from '../../transfer/holds.ts';
import { newPointId, pointPrefix } from '../../transfer/point-names.ts';
import { commitManifest } from '../../transfer/points.ts';
import { requireClock } from '../../transfer/store-clock.ts';
import { requireStored } from '../../transfer/store-inventory.ts';
import { isRemoved, readTombstones } from '../../transfer/tombstones.ts';
import { writeVerification } from '../../transfer/verifications.ts';
import { describedArtifact, describedComponent, draftAt, release } from '../transfer/test-points.ts';
import { mustBeThere } from './retention-oracle.ts';
import { killedSometimes, numbersOf, pick, run, storeOf, type World } from './retention-world.ts';

// What a signature proves is tested elsewhere; here the time is for the schedules.
vi.mock('../../transfer/keys.ts', async (original) => ({
  ...(await original<object>()),
  canonicalBytes: (value: unknown) => Buffer.from(JSON.stringify(value)),
  signDocument: (_kit: unknown, document: unknown) => ({ document }),
  openSigned: ({ document }: { document: unknown }) => document,
}));

const schedules = Number(process.env['LIFEBOAT_SCHEDULES'] ?? 150);
const firstSeed = Number(process.env['LIFEBOAT_SEED'] ?? 1);
const hourMs = 3_600_000;
const kit = { signing: { publicKey: 'key', privateKey: 'key' } } as unknown as RecoveryKit;

async function beginBackup(world: World): Promise<void> {
  const at = new Date(world.now);
  const id = newPointId(
    at,
    Uint8Array.from({ length: 6 }, () => Math.floor(world.random() * 36)),
  );
  const runId = `run-${String((world.runs += 1))}`;
  const store = storeOf(world, killedSometimes(world));
  const prefix = pointPrefix(release, id);
  const lacks = world.random() < 0.15 ? 1 : 0;
  const draft = {
    ...draftAt(0),
    id,
    capturedAt: at.toISOString(),
    components: [describedComponent(prefix, 8)],
    plan: describedArtifact(prefix, 'plan', 4),
    restoreGuide: { key: `${prefix}/RESTORE.md`, sha256: 'e'.repeat(64), signature: 'sig' },
    notCaptured: lacks === 0 ? [] : [{ component: 'files', reason: 'test' }],
    ...(world.random() < 0.1 ? { suspect: 'the model says so' } : {}),
    run: { workflowId: runId, runId, trigger: world.random() < 0.1 ? 'safety copy' : 'schedule' },
  };
  await run(world, `backup ${id}`, async () => {
    await holdPoint({ store, kit, hold: holdOf(id, runId), uncommitted: true, now: at });
    for (const { key, storedBytes } of artifactsOf(draft).flatMap(({ segments }) => segments))
      await store.put(key, Buffer.alloc(storedBytes));
    world.waiting.push({ id, run: runId, draft });
  });
}

async function commitBackup(world: World): Promise<void> {
  const next = world.waiting.shift();
  if (next === undefined) return;
  const { id, run: runId, draft } = next;
  const store = storeOf(world, killedSometimes(world));
  await run(world, `commit ${id}`, async () => {
    try {
      await holdPoint({ store, kit, hold: holdOf(id, runId), uncommitted: true, now: new Date(world.now) });
      await requireStored({ store, prefix: pointPrefix(release, id), point: id, artifacts: artifactsOf(draft) });
      await store.put(draft.restoreGuide.key, Buffer.from('guide'));
      await commitManifest({ store, kit, draft, now: new Date(world.now) });
    } finally {
      // The manifest may be there though its writer was killed: the point exists then.
      const manifest = manifestOf(world, id);
      if (manifest !== undefined)
        world.points.set(id, {
          manifest,
          usable: manifest.suspect === null && manifest.run.trigger !== 'safety copy',
          restored: false,
          held: false,
          lacks: manifest.notCaptured.length,
        });
    }
    await endRunHolds({ store, runId });
  });
}

function manifestOf(world: World, id: string): Manifest | undefined {
  for (const [key, { bytes }] of world.objects) {
    if (!key.startsWith('manifests/')) continue;
    const { document } = JSON.parse(bytes.toString()) as { document: Manifest };
    if (document.id === id) return document;
  }
  return undefined;
}

function holdOf(point: string, runId: string): Parameters<typeof holdPoint>[0]['hold'] {
  return { point, release, by: runId, run: runId, reason: 'model' };
}

async function verify(world: World): Promise<void> {
  const there = [...world.points].filter(([id]) => isWhole(world, id));
  if (there.length === 0) return;
  const [id, known] = pick(world, there);
  const outcome = world.random() < 0.15 ? 'damaged' : 'usable';
  const proof = outcome === 'usable' && world.random() < 0.3 ? 'restored' : 'read-back';
  const at = new Date(world.now).toISOString();
  const runId = `run-${String((world.runs += 1))}`;
  const store = storeOf(world);
  await run(world, `verify ${id}: ${outcome}, ${proof}`, async () => {
    await holdPoint({ store, kit, hold: holdOf(id, runId), now: new Date(world.now) });
    await writeVerification({
      store,
      kit,
      verification: {
        apiVersion: 'lifeboat/v1',
        kind: 'Verification',
        point: id,
        release,
        at,
        outcome,
        proof: outcome === 'damaged' ? 'acknowledged' : proof,
        plainBytes: 0,
        storedBytes: 0,
        failure: null,
        run: 'r',
      },
    });
    known.usable =
      outcome === 'usable' && known.manifest.suspect === null && known.manifest.run.trigger !== 'safety copy';
    known.restored ||= proof === 'restored';
    await endRunHolds({ store, runId });
  });
}

/** Reads a point as a run does: whoever was given it finds all of it until the end. */
async function read(world: World, id: string): Promise<void> {
  for (let turns = Math.floor(world.random() * 120); turns > 0; turns -= 1) await Promise.resolve();
  const runId = `run-${String((world.runs += 1))}`;
  const store = storeOf(world);
  await run(world, `read ${id}`, async () => {
    await holdPoint({ store, kit, hold: holdOf(id, runId), now: new Date(world.now) });
    for (let turns = Math.floor(world.random() * 60); turns > 0; turns -= 1) await Promise.resolve();
    expect(isWhole(world, id), `${id} was removed while it was read`).toBe(true);
    await endRunHolds({ store, runId });
  });
}

async function expire(world: World, clockMs: number): Promise<void> {
  const store = storeOf(world, killedSometimes(world));
  const now = new Date(clockMs);
  const runId = `run-${String((world.runs += 1))}`;
  await run(world, 'expire', async () => {
    await store.put(`runs/${runId}/expiry.json`, Buffer.from('{}'));
    await requireClock({ store, key: `runs/${runId}/expiry.json`, now });
    const { retention } = world;
    await expirePoints({ store, kit, release, tier: 1, retention, now, run: { workflowId: runId, runId } });
  });
}

async function collect(world: World): Promise<void> {
  const store = storeOf(world, killedSometimes(world));
  const runId = `run-${String((world.runs += 1))}`;
  const of = { store, kit, platform: 'shop', releases: [release], now: new Date(world.now), dryRun: false };
  await run(world, 'gc', async () => {
    await collectGarbage({ ...of, run: { workflowId: runId, runId } });
  });
}

function objectsOf(world: World, id: string): { key: string; storedBytes: number }[] {
  const manifest = world.points.get(id)?.manifest;
  return manifest === undefined ? [] : artifactsOf(manifest).flatMap(({ segments }) => segments);
}

function isWhole(world: World, id: string): boolean {
  return objectsOf(world, id).every(({ key, storedBytes }) => world.objects.get(key)?.bytes.byteLength === storedBytes);
}

async function live(seed: number): Promise<World> {
  const random = numbersOf(seed);
  const count = (most: number): number => Math.floor(random() * (most + 1));
  const world: World = {
    objects: new Map(),
    random,
    retention: Retention.parse({
      all: `${String(1 + count(20))}h`,
      last: 1 + count(2),
      hourly: count(3),
      daily: count(3),
      weekly: count(2),
      others: `${String(1 + count(40))}h`,
      grace: `${String(count(10))}h`.replace(/^0h$/, '1m'),
    }),
    now: Date.UTC(2026, 10, 1 + count(20), count(23)),
    points: new Map(),
    waiting: [],
    trace: [],
    runs: 0,
  };
  for (let steps = 10 + count(15); steps > 0; steps -= 1) {
    world.now += Math.floor(random() * random() * 40 * hourMs);
    // A removal that was announced by a run that died is final: nobody can know how far it came.
    const tombstones = await readTombstones({ store: storeOf(world), trustedKeys: [kit.signing.publicKey], release });
    const wholeBefore = new Set(
      [...world.points.keys()].filter((id) => isWhole(world, id) && !isRemoved(tombstones, id)),
    );
    const choice = random();
    if (choice < 0.35) await beginBackup(world).then(() => (random() < 0.8 ? commitBackup(world) : undefined));
    else if (choice < 0.4) await commitBackup(world);
    else if (choice < 0.5) await verify(world);
    else if (choice < 0.55) await holdAsPerson(world);
    else {
      // A clock that is wrong is noticed; the others run beside each other.
      const skewMs = random() < 0.1 ? (random() < 0.5 ? -1 : 1) * Math.floor(random() * 4_000) * hourMs : 0;
      const kept = mustBeThere(world, wholeBefore);
      const going = [...wholeBefore].filter((id) => !kept.has(id));
      const readable = going.length > 0 && random() < 0.8 ? going : [...wholeBefore];
      await Promise.all([
        expire(world, world.now + skewMs),
        ...(random() < 0.4 ? [collect(world)] : []),
        ...(random() < 0.3 ? [expire(world, world.now)] : []),
        ...(readable.length > 0 && random() < 0.6 ? [read(world, pick(world, readable))] : []),
        ...(world.waiting.length > 0 && random() < 0.4 ? [commitBackup(world)] : []),
      ]);
      for (const id of mustBeThere(world, wholeBefore))
        expect(isWhole(world, id), `${id} is kept by the rules and is gone`).toBe(true);
    }
    for (const [id] of world.points)
      if (!wholeBefore.has(id) && isNew(world, id))
        expect(isWhole(world, id), `${id} was committed without its objects`).toBe(true);
  }
  return world;
}

/** Whether a point was committed at this step. */
function isNew(world: World, id: string): boolean {
  return world.points.get(id)?.manifest.committedAt === new Date(world.now).toISOString();
}

async function holdAsPerson(world: World): Promise<void> {
  const there = [...world.points].filter(([id]) => isWhole(world, id));
  if (there.length === 0) return;
  const [id, known] = pick(world, there);
  await run(world, `hold ${id}`, async () => {
    const hold = { point: id, release, by: 'somebody', run: null, reason: 'model' };
    await holdPoint({ store: storeOf(world), kit, hold, now: new Date(world.now) });
    known.held = true;
  });
}

describe('retention', () => {
  it(`removes nothing that its rules keep, that is held or that is read, in ${String(schedules)} schedules of backups, failures, holds, wrong clocks and killed processes`, async () => {
    let removed = 0;
    let killed = 0;
    for (let seed = firstSeed; seed < firstSeed + schedules; seed += 1) {
      let world: World | undefined;
      try {
        world = await live(seed);
      } catch (error) {
        throw new Error(`seed ${String(seed)}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
      removed += [...world.points.keys()].filter((id) => !isWhole(world, id)).length;
      killed += world.trace.filter((line) => line.endsWith('killed')).length;
    }
    // A model in which nothing happens would prove nothing.
    expect(removed).toBeGreaterThan(schedules / 2);
    expect(killed).toBeGreaterThan(schedules / 4);
  }, 3_600_000);
});
