import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore } from '../../activities/open-store.ts';
import type { DemoReport } from '../../demo/run-demo.ts';
import { RecoveryKit } from '../../model/recovery-kit.ts';
import { layout } from '../../sandbox/layout.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { demoPlatform } from '../../sandbox/platform/release.ts';
import { temporalAddress } from '../../sandbox/temporal.ts';
import { slowness } from '../slowness.ts';
import { openSandbox } from './ground.ts';
import { replayRuns } from './replay-runs.ts';
import { clusterSecrets, findSecrets, type Leak, type WatchedSecret, watchArguments } from './secret-watch.ts';

const root = join(import.meta.dirname, '..', '..');

const namespaces = [...new Set(demoPlatform.map((release) => release.namespace))];

describe('npm run demo', () => {
  // What it keeps to play with would be probed beside all files that come after it.
  afterAll(async () => {
    await deleteNamespaces(await openSandbox(), namespaces);
  });

  it('brings eight releases back from the bucket alone, refuses a damaged copy, drills, upgrades and shows no secret', {
    timeout: 1_500_000 * slowness,
  }, async () => {
    const sandbox = await openSandbox();
    const secrets: WatchedSecret[] = [{ from: 'the key of the store', value: sandbox.s3.secretAccessKey }];
    const watched = watchArguments(() => secrets);
    // The Temporal that it leaves running outlives the folder for the files of the tests.
    const { TMPDIR: _, ...env } = process.env;
    const child = spawn('npm', ['run', '--silent', 'demo', '--', '--json', '--keep'], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      const before = stderr;
      stderr += chunk.toString('utf8');
      const begins = (text: string): boolean => !before.includes(text) && stderr.includes(text);
      // Before the disaster takes the Secrets away: what must not be seen anywhere from here on.
      if (begins('start clients that keep writing')) {
        void clusterSecrets(sandbox, namespaces).then((found) => secrets.push(...found));
      }
    });
    const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
    const { leaks, samples } = watched.stop();

    expect(exitCode, stderr.slice(-3_000)).toBe(0);
    const report = JSON.parse(stdout) as DemoReport;
    expect(report.outcome).toBe('complete');
    expect(report.backup.outcome).toBe('complete');
    expect(report.destroyed.volumes).toBeGreaterThanOrEqual(5);
    expect(report.destroyed.volumesLeft).toBe(0);
    expect(report.recovery.outcome).toBe('complete');
    expect(report.recovery.releases.map((release) => release.release).sort()).toEqual(
      demoPlatform.map(({ namespace, name }) => `${namespace}/${name}`).sort(),
    );
    for (const release of report.recovery.releases) {
      expect(release.facts.equal, release.release).toBe(true);
      expect(release.facts.compared, release.release).toBeGreaterThan(0);
      expect(release.rto.achievedSeconds, release.release).toBeGreaterThan(0);
    }
    expect(report.ledgers).toHaveLength(3);
    for (const ledger of report.ledgers) expect(ledger.consistent, JSON.stringify(ledger)).toBe(true);
    expect(report.damage.refused).toBe(true);
    expect(report.drill.outcome).toBe('complete');
    expect(report.drill.drill?.isolated).toBe('enforced');
    expect(report.drill.releases.map(({ release, facts }) => [release, facts.equal]).sort()).toEqual([
      ['shop-web/mysql', true],
      ['shop-web/wordpress', true],
    ]);
    expect(report.upgrade.run.outcome, JSON.stringify(report.upgrade.run.failure)).toBe('complete');
    expect(report.upgrade.run.releases[0]?.facts).toMatchObject({ equal: true });
    expect(report.upgrade.run.releases[0]?.upgrade?.gapsMs).toMatchObject({
      cutover: expect.any(Number) as number,
      promotion: expect.any(Number) as number,
    });
    expect(report.upgrade.consistent, JSON.stringify(report.upgrade)).toBe(true);
    expect((await fetch(report.temporalUi ?? '')).ok).toBe(true);

    // The Temporal that recovered is the one that stays: the run of the platform, one of each release, and the refused one.
    const runs = { address: temporalAddress.address, namespace: 'default', since: new Date(0) };
    expect(await replayRuns(runs)).toBeGreaterThanOrEqual(demoPlatform.length + 1);

    expect(samples).toBeGreaterThan(1_000);
    expect(secrets.length).toBeGreaterThan(5);
    const all = await everythingWritten(report, secrets, { stdout, stderr });
    expect([...leaks, ...all]).toEqual([]);
  });
});

/** Histories, reports, plans and output: everything that a run leaves for people to read. */
async function everythingWritten(
  report: DemoReport,
  secrets: WatchedSecret[],
  output: { stdout: string; stderr: string },
): Promise<Leak[]> {
  const sandbox = await openSandbox();
  const kit = RecoveryKit.parse(JSON.parse(await readFile(join(report.directory, 'recovery-kit.json'), 'utf8')));
  secrets.push(
    { from: 'the identity of the kit', value: kit.identity },
    { from: 'the signing key', value: kit.signing.privateKey.split('\n')[1] ?? '' },
  );
  const leaks = [
    ...findSecrets(secrets, 'stdout', Buffer.from(output.stdout)),
    ...findSecrets(secrets, 'stderr', Buffer.from(output.stderr)),
  ];
  for (const suffix of ['', '-wal']) {
    const database = await readFile(join(layout().temporal, `temporal.db${suffix}`)).catch(() => undefined);
    if (database !== undefined) leaks.push(...findSecrets(secrets, `the histories, temporal.db${suffix}`, database));
  }
  const store = await openStore(kit.store, {
    accessKeyId: sandbox.s3.accessKeyId,
    secretAccessKey: sandbox.s3.secretAccessKey,
  });
  for await (const { key } of store.list('')) {
    if (!key.endsWith('.age')) leaks.push(...findSecrets(secrets, key, await store.get(key)));
  }
  return leaks;
}
