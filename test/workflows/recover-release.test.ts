import { describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import { component, config, plannedOf, planOf, summaryOf, untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const release = 'shop/db';
const approval = { by: 'ann', reason: 'it is gone', planDigest: `digest of ${release}` };
const overLiveData = (summary: Parameters<typeof summaryOf>[1] = {}): void => {
  fakes.on('planRelease', () => plannedOf(release, { live: true, summary }));
};

describe('recoverRelease', () => {
  it('brings back what is gone without asking anybody, and lets clients in only after the facts are equal', async () => {
    const { status, result } = await ground.run('recoverRelease', { release });

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({
      outcome: 'complete',
      objectivesMet: true,
      waitedForPeopleMs: 0,
      releases: [{ facts: { equal: true, compared: 10 } }],
    });
    expect(
      fakes.only(
        'restoreConfiguration',
        'installRelease',
        'raiseFence',
        'restoreComponent',
        'compareComponent',
        'liftFence',
        'runChecks',
        'markRestored',
        'releaseLock',
      ),
    ).toEqual([
      'restoreConfiguration config',
      'installRelease config',
      'raiseFence shop/db',
      'restoreComponent data',
      'compareComponent config',
      'compareComponent data',
      'liftFence shop/db',
      'runChecks shop/db',
      'runChecks shop/db',
      'markRestored shop/db',
      'releaseLock shop/db',
    ]);
  });

  it('shows in a dry run what it would do and changes nothing', async () => {
    overLiveData();
    fakes.on('checkPrerequisites', () => ({ checks: 9, problems: ['no storage class fast'], found: [] }));

    const { status, result } = await ground.run('recoverRelease', { release, dryRun: true });

    expect(status).toBe('COMPLETED');
    expect(result?.plan).toMatchObject({
      overwrites: ['release shop/db, revision 1'],
      findings: ['no storage class fast'],
    });
    expect(fakes.only('acquireLock', 'raiseFence', 'restoreComponent', 'installRelease')).toEqual([]);
    expect(fakes.only('writeReport', 'endHolds')).toEqual(['endHolds']);
  });

  it('says which newer points it passed over, to whoever approves and in its result', async () => {
    const passedOver = ['newer point x of shop/db passed over: it is odd'];
    fakes.on('planRelease', () => ({ ...plannedOf(release, { live: true }), passedOver }));
    const handle = await ground.start('recoverRelease', { release });
    const { approval: shown } = await ground.until(handle, (progress) => progress.approval !== null);
    expect(shown?.lines).toEqual([...passedOver, 'recover shop/db']);

    await handle.executeUpdate('approve', { args: [approval] });
    const { result } = await ground.closed(handle);

    expect(result).toMatchObject({ outcome: 'complete', notes: [...passedOver, 'approved by ann: it is gone'] });
  });

  it('tells of points that stay held after a dry run', async () => {
    fakes.on('endHolds', () => {
      throw failure('StoreDenied', { message: 'list holds: no answer' });
    });

    const { status, result } = await ground.run('recoverRelease', { release, dryRun: true });

    expect(status).toBe('COMPLETED');
    expect(result?.notes).toEqual([expect.stringContaining('held for three days: list holds: no answer')]);
  });

  it('waits for an approval over live data, and refuses one of another plan', async () => {
    overLiveData();
    const handle = await ground.start('recoverRelease', { release });
    const { approval: shown } = await ground.until(handle, (progress) => progress.approval !== null);
    expect(shown).toMatchObject({ planDigest: approval.planDigest, overwrites: ['release shop/db, revision 1'] });

    const wrong = handle.executeUpdate('approve', { args: [{ ...approval, planDigest: 'another' }] });

    await expect(wrong).rejects.toMatchObject({ cause: { type: 'PlanDigestMismatch' } });
    expect(fakes.only('acquireLock', 'raiseFence', 'restoreComponent')).toEqual([]);
    await expect(handle.executeUpdate('approve', { args: [approval] })).resolves.toBe('approved by ann');
    const { status, result } = await ground.closed(handle);
    expect(status).toBe('COMPLETED');
    expect(result?.notes).toContain('approved by ann: it is gone');
    expect(result?.releases[0]?.notes).toContain('safety copy of what was live: new point of shop/db');
  });

  it('gives up as refused when nobody approves for a day', async () => {
    overLiveData();

    const { status, result, outcomeAttribute } = await ground.run('recoverRelease', { release });

    expect({ status, outcomeAttribute }).toEqual({ status: 'FAILED', outcomeAttribute: 'refused' });
    expect(result).toMatchObject({
      outcome: 'refused',
      compensation: 'none',
      failure: { code: 'ApprovalTimeout', changed: 'no' },
    });
    expect(result?.waitedForPeopleMs).toBeGreaterThanOrEqual(86_400_000);
    expect(fakes.only('acquireLock', 'raiseFence', 'restoreComponent')).toEqual([]);
  });

  it('takes no approval, lock or verification from an input that no run above gave', async () => {
    overLiveData();

    const { result } = await ground.run('recoverRelease', {
      release,
      partOf: { lockHeld: true, verified: true, approvedDigest: approval.planDigest },
    });

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'ApprovalTimeout' } });
  });

  it('refuses a plan that changed while it waited', async () => {
    let plans = 0;
    fakes.on('planRelease', () => {
      plans += 1;
      const planned = plannedOf(release, { live: true });
      return plans === 1 ? planned : { ...planned, plan: planOf(release, { digest: 'another' }) };
    });
    const handle = await ground.start('recoverRelease', { release });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });

    const { result } = await ground.closed(handle);

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'BindingChanged' } });
    expect(fakes.only('acquireLock')).toEqual([]);
  });

  it('asks about a failed step and goes on after `retry`', async () => {
    fakes.fail('restoreComponent', 'RestoreFailed', { times: 1 });
    const handle = await ground.start('recoverRelease', { release });
    const { questions } = await ground.until(handle, (progress) => progress.questions.length === 1);
    expect(questions[0]).toMatchObject({ release, step: 'restore data', failure: { code: 'RestoreFailed' } });

    await handle.executeUpdate('decide', { args: [{ action: 'retry', by: 'ann', reason: 'the disk is free now' }] });
    const { result } = await ground.closed(handle);

    expect(result?.outcome).toBe('complete');
    expect(result?.releases[0]?.notes).toContain(
      'restore data: RestoreFailed; ann decided to retry: the disk is free now',
    );
    expect(fakes.only('restoreComponent')).toHaveLength(2);
    expect(fakes.only('undoInstall', 'undoRestore', 'removeNamespace')).toEqual([]);
  });

  it.each([
    ['abort', 'RestoreFailed'],
    ['skip', 'ComponentSkipped'],
  ] as const)('puts everything back, newest first, after `%s`', async (action, code) => {
    overLiveData();
    fakes.fail('restoreComponent', 'RestoreFailed');
    const handle = await ground.start('recoverRelease', { release });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });
    await ground.until(handle, (progress) => progress.questions.length === 1);
    const before = fakes.calls.length;

    await handle.signal('decide', { action, by: 'ann', reason: 'enough' });
    const { status, result } = await ground.closed(handle);

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code } });
    expect(fakes.calls.slice(before)).toEqual([
      'startRelease shop/db',
      'waitUntilServing shop/db',
      'undoRestore data',
      'undoInstall shop/db',
      'removeConfiguration config',
      'putBackConfiguration config',
      'startRelease shop/db',
      'liftFence shop/db',
      'waitUntilServing shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('keeps the clients out and puts everything back when the facts differ', async () => {
    fakes.fail('compareComponent', 'FactsDiffer');

    const { result } = await ground.run('recoverRelease', { release, onFailure: 'abort' });

    expect(result).toMatchObject({
      outcome: 'failed',
      compensation: 'done',
      failure: { code: 'FactsDiffer' },
      releases: [{ facts: { equal: false } }],
    });
    expect(fakes.only('liftFence', 'runChecks', 'markRestored')).toEqual([]);
    expect(fakes.calls.slice(-5)).toEqual([
      'undoInstall shop/db',
      'removeConfiguration config',
      'removeNamespace shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('aborts a question that nobody answers for a day', async () => {
    fakes.fail('restoreComponent', 'RestoreFailed');

    const { result } = await ground.run('recoverRelease', { release });

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'RestoreFailed' } });
    expect(result?.releases[0]?.notes).toEqual([
      'restore data: RestoreFailed; lifeboat decided to abort: no answer within 24h',
    ]);
  });

  it('names what a failed compensation left behind, and still undoes the rest', async () => {
    fakes.fail('restoreComponent', 'RestoreFailed').fail('undoInstall', 'HelmFailed');

    const { result } = await ground.run('recoverRelease', { release, onFailure: 'abort' });

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'incomplete', failure: { code: 'RestoreFailed' } });
    expect(result?.releases[0]?.leftBehind).toEqual([
      'take back the installation of shop/db: undoInstall: broken by the test',
    ]);
    expect(fakes.only('removeConfiguration', 'removeNamespace', 'releaseLock')).toEqual([
      'removeConfiguration config',
      'removeNamespace shop/db',
      'releaseLock shop/db',
    ]);
  });

  it('puts everything back when it is cancelled, and closes as Canceled', async () => {
    fakes.on('restoreComponent', untilCancelled);
    const handle = await ground.start('recoverRelease', { release });
    await ground.until(handle, () => fakes.calls.includes('restoreComponent data'));

    await handle.cancel();
    const { status, outcomeAttribute } = await ground.closed(handle);

    expect({ status, outcomeAttribute }).toEqual({ status: 'CANCELLED', outcomeAttribute: 'cancelled' });
    expect(fakes.calls.slice(-5)).toEqual([
      'undoInstall shop/db',
      'removeConfiguration config',
      'removeNamespace shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('keeps its fence up while the safety copy stops and starts the service', async () => {
    const components = [config, component('data', { captureWhile: 'stopped', restoreWhile: 'stopped' })];
    overLiveData({ components });
    fakes.on('bindForBackup', () => ({
      summary: summaryOf(release, { components, allowDowntimeMs: 60_000 }),
      point: 'copy',
      plan: planOf(release),
    }));
    const handle = await ground.start('recoverRelease', { release, scope: 'data' });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });

    const { result } = await ground.closed(handle);

    expect(result?.outcome).toBe('complete');
    expect(fakes.only('raiseFence', 'captureComponent', 'restoreComponent', 'compareComponent', 'liftFence')).toEqual([
      'raiseFence shop/db',
      'captureComponent config',
      'captureComponent data',
      'restoreComponent data',
      'compareComponent data',
      'liftFence shop/db',
    ]);
  });
});
