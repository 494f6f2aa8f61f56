import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { replicaCell } from '../../cli/replica-state.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { linkKey } from '../../transfer/chain.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { manifestFolder } from '../../transfer/point-names.ts';
import { commitManifest } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { commitWithObjects, draftAt, release, testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { type Answer, lifeboat, settle } from './command.ts';

type Status = { releases: Record<string, unknown>[]; problems: string[] };

describe('lifeboat status', () => {
  it('refuses a directory of plans that is not there', async () => {
    const [home, folder] = [testFolder(), testFolder()];
    const kit = await testKit();
    await settle(home, kit, filesystemStore(folder).address, { plans: 'nowhere' });
    const { code, stderr } = await lifeboat(home, undefined, 'status');
    expect(code).toBe(2);
    expect(stderr).toContain(`ConfigInvalid: read the directory of plans ${join(home, 'nowhere')}`);
  });
});

describe('lifeboat status with a replica', () => {
  const [home, first, second] = [testFolder(), testFolder(), testFolder()];
  const [store, replica] = [filesystemStore(first), filesystemStore(second)];
  const drafts = [draftAt(0), draftAt(30)] as const;
  let kit: RecoveryKit;

  const add = async (to: Store, draft: (typeof drafts)[number]): Promise<void> => {
    await commitWithObjects(to, kit, 0, draft);
  };
  const status = async (replicaUrl: string | undefined, ...args: readonly string[]): Promise<Answer> => {
    await settle(home, kit, store.address, replicaUrl === undefined ? {} : { replica: { url: replicaUrl } });
    return await lifeboat(home, undefined, 'status', ...args);
  };

  beforeAll(async () => {
    kit = await testKit();
    await add(store, drafts[0]);
  });

  it('says nothing of one that is not configured', async () => {
    const { code, stdout } = await status(undefined, '--json');
    expect(code).toBe(0);
    const [shown] = (JSON.parse(stdout) as Status).releases;
    expect(shown).toMatchObject({ point: drafts[0].id });
    expect(shown).not.toHaveProperty('replica');
  });

  it('says that it has nothing yet', async () => {
    const { code, stdout } = await status(replica.address);
    expect(code).toBe(0);
    expect(stdout).toMatch(/REPLICA.*\n.*nothing yet ✗/);
  });

  it('says its newest point, and how far it is behind', async () => {
    await add(replica, drafts[0]);
    await add(store, drafts[1]);
    const { code, stdout } = await status(replica.address, '--json');
    expect(code).toBe(0);
    const state = { point: drafts[0].id, behindSeconds: 1_800 };
    expect(JSON.parse(stdout)).toMatchObject({ releases: [{ point: drafts[1].id, replica: state }] });
    expect(replicaCell(state, drafts[1].id)).toBe('30m behind');
    expect(replicaCell({ point: drafts[1].id, behindSeconds: 0 }, drafts[1].id)).toBe('✓');
  });

  it('counts no point of which it has the manifest alone', async () => {
    await commitManifest({ store: replica, kit, draft: drafts[1] });
    const { stdout } = await status(replica.address, '--json');
    const state = { point: drafts[0].id, behindSeconds: 1_800 };
    expect(JSON.parse(stdout)).toMatchObject({ releases: [{ point: drafts[1].id, replica: state }] });
  });

  it('shows the releases all the same where it does not answer, and exits 1', async () => {
    const file = join(home, 'a-file');
    writeFileSync(file, '');
    const { code, stdout } = await status(`file://${file}`, '--json');
    expect(code).toBe(1);
    const { releases, problems } = JSON.parse(stdout) as Status;
    expect(releases[0]).toMatchObject({ point: drafts[1].id });
    expect(releases[0]).not.toHaveProperty('replica');
    expect(problems).toEqual([expect.stringMatching(/^replica file:.*: Store[A-Za-z]+: /)]);
  });
});

describe('lifeboat status of a release whose points cannot be read', () => {
  it('does not call it never backed up, and exits 1', async () => {
    const [home, store, kit] = [testFolder(), filesystemStore(testFolder()), await testKit()];
    await commitManifest({ store, kit, draft: draftAt(0) });
    await store.put(linkKey(manifestFolder(release), 1), Buffer.from('{}'));
    await settle(home, kit, store.address);
    const { code, stdout } = await lifeboat(home, undefined, 'status', '--json');
    const shown = JSON.parse(stdout) as Status;
    expect([code, shown.problems.length]).toEqual([1, 1]);
    expect(shown.releases).toMatchObject([{ point: null, rpoMet: null, state: 'no point can be read' }]);
  });
});

describe('lifeboat status of a point that lacks something', () => {
  it('says what', async () => {
    const [home, store, kit] = [testFolder(), filesystemStore(testFolder()), await testKit()];
    const notCaptured = [{ component: 'files', reason: 'allowDowntime is not set' }];
    await commitManifest({ store, kit, draft: draftAt(0, 1_000, { notCaptured }) });
    await settle(home, kit, store.address);
    const shown = await lifeboat(home, undefined, 'status');
    expect(shown.stdout).toMatch(/read-back, lacks files ✗/);
    expect((await lifeboat(home, undefined, 'points')).stdout).toMatch(/lacks files/);
  });
});
