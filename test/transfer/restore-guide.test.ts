import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { formatRecoveryKit } from '../../transfer/keys.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { type GuideSubject, restoreGuideText, writeRestoreGuide } from '../../transfer/restore-guide.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { describedComponent, release, testKit } from './test-points.ts';
import { bytesSource, missingTools, sha256, testFolder, testStore } from './test-sources.ts';

const point = '20261124T100000Z-k3x9qa';
const prefix = pointPrefix(release, point);
const dump = randomBytes(150_000);
let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

async function writePoint(store: Store): Promise<GuideSubject> {
  const write = (name: string, bytes: Buffer, restoreCommand: string): Promise<Artifact> =>
    writeArtifact({
      store,
      prefix,
      name,
      source: bytesSource(bytes),
      recipients: kit.recipients,
      minimumProofs: ['status'],
      restoreCommand,
      segmentBytes: 100_000,
      frameBytes: 50_000,
    });
  const artifacts = [
    await write("databases.it's%20a db", dump, 'cat > ../restored.dump   # into the database'),
    await write('databases.settings', Buffer.from('{}'), '# part of the dump above'),
  ];
  const component = {
    ...describedComponent(prefix, 1),
    artifacts,
    facts: await write('databases.facts', Buffer.from('{"rows":1}'), ''),
  };
  return {
    release,
    point,
    capturedAt: '2026-11-24T10:00:00Z',
    components: [component],
    plan: await write('plan', Buffer.from('{"plan":1}'), ''),
  };
}

/** Runs every block of bash of a guide, in one shell, in an empty directory. */
function follow(guide: string, files: { kit: string }): { folder: string; failed: string | undefined } {
  const folder = testFolder();
  writeFileSync(join(folder, 'kit.json'), files.kit);
  const script = [...guide.matchAll(/```bash\n(.*?)```/gs)].map((block) => block[1]).join('\n');
  try {
    execFileSync('bash', ['-c', script], {
      cwd: folder,
      env: { ...process.env, KIT: join(folder, 'kit.json') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { folder, failed: undefined };
  } catch (error) {
    return { folder, failed: String((error as { stderr?: Buffer }).stderr) };
  }
}

describe.skipIf(missingTools('RESTORE.md', 'age', 'zstd', 'openssl', 'sha256sum'))('the restore guide', () => {
  it('restores a point by stock tools alone', async () => {
    const store = testStore();
    const subject = await writePoint(store);
    const restoreGuide = await writeRestoreGuide({ ...subject, store, kit });
    const guide = (await store.get(`${prefix}/RESTORE.md`)).toString();
    expect(restoreGuide).toMatchObject({ key: `${prefix}/RESTORE.md`, sha256: sha256(Buffer.from(guide)) });
    const { folder, failed } = follow(guide, { kit: formatRecoveryKit(kit) });
    expect(failed).toBeUndefined();
    expect(readFileSync(join(folder, 'restored.dump')).equals(dump)).toBe(true);
    expect(readFileSync(join(folder, 'databases.facts.json'), 'utf8')).toBe('{"rows":1}');
    expect(readFileSync(join(folder, 'databases.settings'), 'utf8')).toBe('{}');
    expect(readFileSync(join(folder, 'plan.json'), 'utf8')).toBe('{"plan":1}');
    expect(existsSync(join(folder, 'key.txt'))).toBe(false);
    expect(await writeRestoreGuide({ ...subject, store, kit })).toEqual(restoreGuide);
  });

  it.each([
    [
      'a flipped bit in a segment',
      async (store: Store, subject: GuideSubject) => {
        const key = subject.components[0]?.artifacts[0]?.segments[1]?.key ?? '';
        const bytes = await store.get(key);
        bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
        await store.put(key, bytes);
      },
    ],
    [
      'a segment that is gone',
      (store: Store, subject: GuideSubject) =>
        store.delete(subject.components[0]?.artifacts[0]?.segments[0]?.key ?? ''),
    ],
    [
      'a guide that was changed',
      async (store: Store) =>
        store.put(
          `${prefix}/RESTORE.md`,
          Buffer.concat([await store.get(`${prefix}/RESTORE.md`), Buffer.from('\nmore')]),
        ),
    ],
    ['a signature of another key', async (store: Store) => store.put(`${prefix}/RESTORE.md.sig`, randomBytes(64))],
  ])('stops before anything is restored: %s', async (_, damage) => {
    const store = testStore();
    const subject = await writePoint(store);
    await writeRestoreGuide({ ...subject, store, kit });
    const guide = (await store.get(`${prefix}/RESTORE.md`)).toString();
    await damage(store, subject);
    const { folder, failed } = follow(guide, { kit: formatRecoveryKit(kit) });
    expect(failed).toBeDefined();
    expect(existsSync(join(folder, 'restored.dump'))).toBe(false);
  });

  it('does not restore with a key that opens nothing', async () => {
    const store = testStore();
    const subject = await writePoint(store);
    await writeRestoreGuide({ ...subject, store, kit });
    const stranger = { ...(await testKit()), signing: kit.signing };
    const { folder, failed } = follow((await store.get(`${prefix}/RESTORE.md`)).toString(), {
      kit: formatRecoveryKit(stranger),
    });
    expect(failed).toContain('no identity matched');
    expect(existsSync(join(folder, 'restored.dump'))).toBe(false);
  });

  it.each(['RESTORE.md', 'RESTORE.md.sig', 'SHA256SUMS'])(
    'is not called written where the store has another %s',
    async (name) => {
      const store = testStore();
      const subject = await writePoint(store);
      const forgetful: Store = Object.assign(Object.create(store) as Store, {
        get: async (key: string) => (key.endsWith(`/${name}`) ? Buffer.from('another') : await store.get(key)),
      });
      await expect(writeRestoreGuide({ ...subject, store: forgetful, kit })).rejects.toMatchObject({
        code: 'ArtifactDigestMismatch',
      });
    },
  );

  it('says how a point is fetched from a bucket', async () => {
    const subject = await writePoint(testStore());
    const text = restoreGuideText({
      ...subject,
      storeAddress: 's3://backups/shop',
      endpoint: 'http://127.0.0.1:7070',
      region: 'eu-central-1',
      publicKey: kit.signing.publicKey,
    });
    expect(text).toContain(
      `aws --endpoint-url http://127.0.0.1:7070 --region eu-central-1 s3 cp --recursive s3://backups/shop/${prefix} point`,
    );
    expect(text).not.toContain('AGE-SECRET');
  });
});
