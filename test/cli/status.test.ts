import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { commitManifest } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { draftAt, testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { lifeboat, settle } from './command.ts';

type Shown = { code: number; release: Record<string, unknown>; problems: string[]; text: string };

describe('lifeboat status with a replica', () => {
  const [home, first, second] = [testFolder(), testFolder(), testFolder()];
  const [store, replica] = [filesystemStore(first), filesystemStore(second)];
  const drafts = [draftAt(0), draftAt(30)] as const;
  let kit: RecoveryKit;

  const add = async (to: Store, draft: (typeof drafts)[number]): Promise<void> => {
    await commitManifest({ store: to, kit, draft });
  };
  const show = async (...url: readonly string[]): Promise<Shown> => {
    await settle(home, kit, store.address, Object.fromEntries(url.map((each) => ['replica', { url: each }])));
    const [{ code, stdout }, { stdout: text }] = [
      await lifeboat(home, undefined, 'status', '--json'),
      await lifeboat(home, undefined, 'status'),
    ];
    const { releases, problems } = JSON.parse(stdout) as { releases: Shown['release'][]; problems: string[] };
    return { code, release: releases[0] ?? {}, problems, text };
  };

  beforeAll(async () => {
    kit = await testKit();
    await add(store, drafts[0]);
  });

  it('says nothing of one that is not configured', async () => {
    const { code, release, text } = await show();
    expect([code, release['point'], 'replica' in release]).toEqual([0, drafts[0].id, false]);
    expect(text).not.toContain('REPLICA');
  });

  it('says that it has nothing yet, the newest point, and how far it is behind', async () => {
    const empty = await show(replica.address);
    expect([empty.code, empty.release['replica']]).toEqual([0, null]);
    expect(empty.text).toMatch(/REPLICA.*\n.*nothing yet ✗/);

    await add(replica, drafts[0]);
    const equal = await show(replica.address);
    expect(equal.release['replica']).toEqual({ point: drafts[0].id, behindSeconds: 0 });
    expect(equal.text).toMatch(/ never +✓ /);

    await add(store, drafts[1]);
    const behind = await show(replica.address);
    expect(behind.release['replica']).toEqual({ point: drafts[0].id, behindSeconds: 1_800 });
    expect(behind.text).toContain('30m behind');
  });

  it('shows the releases all the same where it does not answer, and exits 1', async () => {
    const file = join(home, 'a-file');
    writeFileSync(file, '');
    const { code, release, problems, text } = await show(`file://${file}`);
    expect([code, release['point'], 'replica' in release]).toEqual([1, drafts[1].id, false]);
    expect(problems).toEqual([expect.stringMatching(/^replica file:.*: Store[A-Za-z]+: /)]);
    expect(text).toMatch(/REPLICA.*\n.* \? /);
  });
});
