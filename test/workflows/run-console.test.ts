import { describe, expect, it } from 'vitest';
import { plannedOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const waiting = async () => {
  fakes.on('planRelease', () => plannedOf('shop/db', { live: true }));
  const handle = await ground.start('recoverRelease', { release: 'shop/db' });
  await ground.until(handle, (progress) => progress.approval !== null);
  return handle;
};

describe('RunConsole', () => {
  const garbage: [string, unknown[]][] = ['approve', 'decide', 'pause', 'resume', 'noteQuestion'].flatMap((name) =>
    [[], [null], ['yes'], [{ by: 7 }], [{ workflowId: 'x', question: {} }]].map((args): [string, unknown[]] => [
      name,
      args,
    ]),
  );

  it('survives every signal that makes no sense, and shows that it was refused', async () => {
    const handle = await waiting();
    for (const [name, args] of garbage) await handle.signal(name, ...args);
    await ground.until(handle, (progress) => progress.lastRejected?.startsWith('noteQuestion') ?? false);
    await handle.signal('approve', { by: 'ann' });
    const { lastRejected, questions, paused } = await ground.until(
      handle,
      (progress) => progress.lastRejected?.startsWith('Approve') ?? false,
    );

    expect(lastRejected).toContain('planDigest');
    expect({ questions, paused }).toEqual({ questions: [], paused: null });
    await handle.signal('approve', { by: 'ann', reason: 'it is gone', planDigest: 'digest of shop/db' });
    const { result } = await ground.closed(handle);
    expect(result?.outcome).toBe('complete');
  });

  it.each([
    ['approve', { by: 'ann', reason: 'x' }, 'planDigest'],
    ['decide', { by: 'ann', reason: 'x', action: 'explode' }, 'action'],
    ['decide', { by: 'ann', reason: 'x', action: 'retry', force: true }, 'allowed are question, action, by, reason'],
    ['pause', {}, 'by'],
    ['pause', { by: 'ann', reason: 'x' }, 'a run of one release has nothing to pause before'],
    ['resume', { by: '' }, 'by'],
  ])('answers the update `%s` of %j with what it takes', async (name, message, expected) => {
    const handle = await waiting();

    const refused: unknown = await handle.executeUpdate(name, { args: [message] }).catch((error: unknown) => error);

    expect(refused).toMatchObject({ cause: { type: 'InputInvalid' } });
    expect((refused as { cause: Error }).cause.message).toContain(expected);
    await handle.cancel();
    await ground.closed(handle);
  });

  it('refuses a decision where nothing is asked', async () => {
    const handle = await waiting();

    await handle.signal('decide', { action: 'retry', by: 'ann', reason: 'x' });

    await ground.until(handle, (progress) => progress.lastRejected === 'the run asks nothing');
    await handle.cancel();
    expect((await ground.closed(handle)).status).toBe('CANCELLED');
  });
});
