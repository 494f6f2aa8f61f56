import { describe, expect, it } from 'vitest';
import { component, config, plannedOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const release = 'shop/db';
const approval = { by: 'ann', reason: 'it is gone', planDigest: `digest of ${release}` };

describe('recoverRelease of a release that is gone while another one holds its database', () => {
  const host = 'test/shop/mysql';
  const approved = async () => {
    const components = [config, component('data', { host })];
    fakes.on('planRelease', () => plannedOf(release, { summary: { components }, replacedHosts: [host] }));
    const handle = await ground.start('recoverRelease', { release, onFailure: 'ask' });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });
    return handle;
  };

  it('backs that one up first, under a lock of its own', async () => {
    const { result } = await ground.closed(await approved());

    expect(result?.outcome).toBe('complete');
    expect(result?.releases[0]?.notes).toContain('safety copy of what was in shop/mysql: new point of shop/mysql');
    const order = fakes.only('acquireLock', 'commitPoint', 'restoreConfiguration', 'restoreComponent');
    expect(order).toEqual([
      'acquireLock shop/db',
      'acquireLock shop/mysql',
      'commitPoint shop/mysql',
      'restoreConfiguration config',
      'restoreComponent data',
    ]);
  });

  it('says where it is when it cannot be put back', async () => {
    let asked: unknown;
    fakes.fail('restoreComponent', 'RestoreFailed').on('undoRestore', (of) => {
      asked = of;
    });
    const handle = await approved();
    await ground.until(handle, (progress) => progress.questions.length === 1);

    await handle.signal('decide', { action: 'abort', by: 'ann', reason: 'enough' });
    await ground.closed(handle);

    expect(asked).toMatchObject({ safetyCopy: null, keptIn: ['shop/mysql: new point of shop/mysql'] });
  });

  it('changes nothing where it cannot be backed up', async () => {
    fakes.fail('captureComponent', 'CredentialMismatch');
    const handle = await approved();
    const { questions } = await ground.until(handle, (progress) => progress.questions.length === 1);
    expect(questions[0]).toMatchObject({ step: 'safety copy', failure: { code: 'CredentialMismatch' } });

    await handle.signal('decide', { action: 'abort', by: 'ann', reason: 'enough' });
    const { result } = await ground.closed(handle);

    expect(result).toMatchObject({ outcome: 'failed', failure: { code: 'CredentialMismatch' } });
    expect(fakes.only('restoreConfiguration', 'installRelease', 'restoreComponent', 'undoRestore')).toEqual([]);
  });
});
