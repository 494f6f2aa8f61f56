import { describe, expect, it } from 'vitest';
import { type RunProgress, renderProgress } from '../../model/progress.ts';

const progress: RunProgress = {
  type: 'recoverRelease',
  workflowId: 'recover-db',
  title: 'Recover shop/db',
  outcome: 'running',
  phase: 'restoring data',
  startedAt: '2026-11-24T10:00:00.000Z',
  lines: [
    { title: 'fence', state: 'done', note: '', startedAt: null, durationMs: 12 },
    { title: 'restore data', state: 'running', note: 'again', startedAt: null, durationMs: null },
    { title: 'tier 2', state: 'skipped', note: 'no release', startedAt: null, durationMs: null },
    { title: 'compare facts', state: 'failed', note: 'FactsDiffer', startedAt: null, durationMs: null },
    { title: 'log in', state: 'waiting', note: '', startedAt: null, durationMs: null },
  ],
  approval: null,
  questions: [],
  paused: null,
  lastRejected: null,
  waitedForPeopleMs: 0,
};

describe('renderProgress', () => {
  it('is a checklist with a sign for each state', () => {
    expect(renderProgress(progress)).toBe(
      [
        '**Recover shop/db**: restoring data',
        '',
        '- ✓ fence',
        '- … restore data: again',
        '- ! tier 2: no release',
        '- ✗ compare facts: FactsDiffer',
        '-   log in',
      ].join('\n'),
    );
  });

  it('shows the outcome in place of the phase at the end', () => {
    expect(renderProgress({ ...progress, outcome: 'partial', lines: [] })).toBe('**Recover shop/db**: partial\n');
  });

  it('gives the message that approves, with the digest, and the command', () => {
    const text = renderProgress({
      ...progress,
      approval: { planDigest: 'abc', lines: [], overwrites: ['volume claim shop/data'], since: '' },
    });

    expect(text).toContain('- volume claim shop/data');
    expect(JSON.parse(/```json\n(.*)\n```/.exec(text)?.[1] ?? '')).toEqual({
      by: 'you',
      reason: '…',
      planDigest: 'abc',
    });
    expect(text.split('\n').at(-1)).toBe('or `lifeboat approve recover-db --by you --reason …`');
  });

  it('gives for each question the message and the command that answer it', () => {
    const failure = {
      code: 'RestoreFailed',
      message: 'restore data: disk full',
      hint: 'Free space.',
      changed: 'yes',
    } as const;
    const text = renderProgress({
      ...progress,
      questions: [{ id: 'q1', release: 'shop/db', step: 'restore data', failure, since: '', workflowId: 'recover-db' }],
    });

    expect(text).toContain('**shop/db restore data**: RestoreFailed: restore data: disk full\nFree space.');
    expect(JSON.parse(/```json\n(.*)\n```/.exec(text)?.[1] ?? '')).toMatchObject({ question: 'q1', action: 'retry' });
    expect(text.split('\n').at(-1)).toContain('lifeboat decide recover-db retry --question q1');
  });

  it('shows who paused, and the last message that was refused', () => {
    const text = renderProgress({
      ...progress,
      paused: { by: 'ann', reason: 'lunch', since: '' },
      lastRejected: 'the run asks nothing',
    });

    expect(text).toContain('Paused by ann: lunch. Go on: `lifeboat resume recover-db`');
    expect(text.split('\n').at(-1)).toBe('Last message refused: the run asks nothing');
  });

  it('keeps the command to type even where the checklist is too long to show', () => {
    const lines = Array.from({ length: 80 }, (_, at) => ({
      title: `release ${String(at)}`,
      state: 'done' as const,
      note: 'n'.repeat(60),
      startedAt: null,
      durationMs: 1,
    }));
    const text = renderProgress({
      ...progress,
      lines,
      approval: { planDigest: 'abc', lines: [], overwrites: ['volume claim shop/data'], since: '' },
    });

    expect(text.length).toBeLessThanOrEqual(3_900);
    expect(text).toContain('"planDigest": "abc"');
    expect(text).toContain('lifeboat approve recover-db');
  });
});
