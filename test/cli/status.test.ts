import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { replicaCell } from '../../cli/replica-state.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { commitManifest } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { draftAt, testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { type Answer, lifeboat, settle } from './command.ts';

type Status = { releases: Record<string, unknown>[]; problems: string[] };

describe('lifeboat status with a replica', () => {
  const [home, first, second] = [testFolder(), testFolder(), testFolder()];
  const [store, replica] = [filesystemStore(first), filesystemStore(second)];
  const drafts = [draftAt(0), draftAt(30)] as const;
  let kit: RecoveryKit;

  const add = async (to: Store, draft: (typeof drafts)[number]): Promise<void> => {
    await commitManifest({ store: to, kit, draft });
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
