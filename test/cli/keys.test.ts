import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { ReleaseName } from '../../model/release-name.ts';
import { linkKey } from '../../transfer/chain.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { manifestFolder, pointPrefix } from '../../transfer/point-names.ts';
import { commitManifest } from '../../transfer/points.ts';
import { memorySource } from '../../transfer/source.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { draftAt, release as first, testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { lifeboat, settle } from './command.ts';

type Checked = { release: string; point: string | null; opens: boolean; problem?: string };

describe('lifeboat keys check', () => {
  const home = testFolder();
  const store = filesystemStore(testFolder());
  const second = { ...first, name: 'second' };
  const releases = [first, second].map(({ namespace, name }) => ({ release: `${namespace}/${name}` }));
  let kit: RecoveryKit;

  const addPoint = async (release: ReleaseName, minute: number): Promise<string> => {
    const draft = draftAt(minute);
    const plan = await writeArtifact({
      ...{ store, prefix: pointPrefix(release, draft.id), name: 'plan', source: memorySource(Buffer.from('a plan')) },
      ...{ recipients: kit.recipients, minimumProofs: ['status'], restoreCommand: 'cat' },
    });
    await commitManifest({ store, kit, draft: { ...draft, release, plan } });
    return draft.id;
  };
  const check = async (by = kit): Promise<{ code: number; answers: Checked[] }> => {
    await settle(home, by, store.address, { releases });
    const { code, stdout } = await lifeboat(home, undefined, '--json', 'keys', 'check');
    return { code, answers: JSON.parse(stdout) as Checked[] };
  };

  beforeAll(async () => {
    kit = await testKit();
  });

  it('fails where there is nothing yet that it could open', async () => {
    const { code, answers } = await check();
    expect([code, answers.map(({ problem }) => problem)]).toEqual([1, ['has no point yet', 'has no point yet']]);
  });

  it('opens the newest point of each release that has one', async () => {
    await addPoint(first, 0);
    const id = await addPoint(first, 30);
    const { code, answers } = await check();
    expect([code, answers]).toEqual([
      0,
      [
        { release: 'data/postgresql', point: id, opens: true },
        { release: 'data/second', point: null, opens: false, problem: 'has no point yet' },
      ],
    ]);
  });

  it('fails where a point is for other keys', async () => {
    const { code, answers } = await check({ ...(await testKit()), signing: kit.signing });
    expect([code, answers[0]]).toMatchObject([1, { opens: false, problem: expect.stringMatching(/plan/) as string }]);
  });

  it('fails where the newest manifest of one release cannot be read, though another one opens', async () => {
    await addPoint(second, 0);
    expect((await check()).code).toBe(0);
    await store.put(linkKey(manifestFolder(second), 1), Buffer.from('{}'));
    const { code, answers } = await check();
    expect([code, answers.map(({ opens }) => opens)]).toEqual([1, [true, false]]);
    expect(answers[1]?.problem).not.toBe('has no point yet');
  });
});

describe('lifeboat keys create', () => {
  it('writes no kit where the escrow of an earlier one is still there', async () => {
    const home = testFolder();
    const kit = join(home, 'new.json');
    writeFileSync(join(home, 'new.escrow.txt'), 'of an earlier kit');
    const args = ['--key', kit, 'keys', 'create', '--platform', 'shop', '--store', 'file:///backups'];
    const { code, stderr } = await lifeboat(home, undefined, ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining('new.escrow.txt: it is there already')]);
    expect(existsSync(kit)).toBe(false);
    expect(readFileSync(join(home, 'new.escrow.txt'), 'utf8')).toBe('of an earlier kit');
  });
});
