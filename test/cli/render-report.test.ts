import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderPlan, renderReport } from '../../cli/render-report.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { failure } from '../../model/failures.ts';
import { measureObjective, type ReleaseResult, type RunResult } from '../../model/outcome.ts';

const terminal = { paint: (_colour: string, text: string) => text } as Terminal;
const of = { workflowId: 'recover-shop', runId: '0199-run', terminal };
const golden = (name: string): string => join(import.meta.dirname, 'golden', `${name}.txt`);

const release = (name: string, more: Partial<ReleaseResult> = {}): ReleaseResult => ({
  release: name,
  chart: 'postgresql 1.0.0',
  tier: 1,
  outcome: 'complete',
  compensation: 'none',
  leftBehind: [],
  recoveryPoint: '20261124T100000Z-k3x9qa',
  capturedAt: '2026-11-24T10:00:00.000Z',
  storedBytes: 1_503_238_554,
  facts: {
    before: { tables: 118, rows: 3_100_000, largeObjects: 4, sequences: 9 },
    after: { tables: 118 },
    equal: true,
    compared: 900,
    exceptions: [],
  },
  rpo: measureObjective(86_400_000, 600_000),
  rto: measureObjective(3_600_000, 192_000),
  durationMs: 192_000,
  steps: {},
  components: [],
  notes: [],
  ...more,
});

const result = (more: Partial<RunResult>): RunResult => ({
  type: 'recoverPlatform',
  outcome: 'complete',
  compensation: 'none',
  objectivesMet: true,
  startedAt: '2026-11-24T10:10:00.000Z',
  finishedAt: '2026-11-24T10:13:12.000Z',
  durationMs: 192_000,
  releases: [],
  notConfigured: [],
  notes: [],
  ...more,
});

const none = { before: {}, after: null, equal: null, compared: 0, exceptions: [] };

const complete = result({
  releases: [
    release('shop/web', {
      tier: 3,
      storedBytes: 20_480,
      facts: { ...none, before: { files: 12 }, after: { files: 12 }, equal: true, compared: 12 },
    }),
    release('shop/db'),
    release('shop/cache', {
      tier: 2,
      facts: {
        ...none,
        before: { keys: 1_200 },
        equal: true,
        compared: 1_200,
        exceptions: [{ facts: 'data/**', reason: 'their time to live has passed', count: 3, bound: 3 }],
      },
    }),
  ],
  notes: ['platform RTO 3m 12s of 4h: met'],
});

const partial = result({
  type: 'backUpPlatform',
  outcome: 'partial',
  objectivesMet: false,
  releases: [
    release('shop/db', {
      facts: { ...none, before: { tables: 118, rows: 3_100_000 } },
      rpo: measureObjective(60_000, 61_000),
    }),
    release('shop/mq', {
      tier: 2,
      outcome: 'partial',
      storedBytes: 4_096,
      facts: none,
      rpo: measureObjective(60_000, null),
      components: [
        {
          component: 'messages',
          method: 'volume-archive',
          outcome: 'not captured',
          reason: 'would stop the service; set allowDowntime in lifeboat.yaml',
        },
      ],
    }),
    release('shop/web', {
      tier: 3,
      outcome: 'failed',
      recoveryPoint: null,
      storedBytes: 0,
      facts: none,
      rpo: measureObjective(60_000, null),
      failure: failure('ReleaseNotFound', { message: 'read shop/web: Helm has no such release' }).view(),
    }),
  ],
  notConfigured: ['replicate', 'expire'],
});

const broken = failure('RestoreFailed', {
  message: 'restore shop/db data: pg_restore: disk full',
  changed: 'unknown',
}).view();
const failed = result({
  type: 'recoverRelease',
  outcome: 'failed',
  compensation: 'incomplete',
  objectivesMet: null,
  releases: [
    release('shop/db', {
      outcome: 'failed',
      compensation: 'incomplete',
      leftBehind: ['take back the installation of shop/db: helm: another operation is in progress'],
      facts: { ...none, before: { tables: 118 }, equal: false },
      rpo: measureObjective(60_000, null),
      rto: measureObjective(60_000, null),
      failure: broken,
    }),
  ],
  failure: broken,
  notes: ['approved by ann: it is gone'],
});

describe('renderReport', () => {
  it.each(Object.entries({ complete, partial, failed }))('shows a %s run', async (name, run) => {
    await expect(`${renderReport(run, of)}\n`).toMatchFileSnapshot(golden(name));
  });

  it.each(Object.entries({ complete, partial, failed }))('keeps a %s run within 100 columns', (_name, run) => {
    expect(
      renderReport(run, of)
        .split('\n')
        .filter((line) => line.length > 100),
    ).toEqual([]);
  });

  it('says what failed once, although the run and its release both carry it', () => {
    expect(renderReport(failed, of).split('pg_restore: disk full')).toHaveLength(2);
  });

  it('calls nothing recovered or backed up that was not', () => {
    expect(renderReport(failed, of)).not.toMatch(/RECOVERED|≡|✓/);
    expect(renderReport(result({ outcome: 'refused', type: 'backUpRelease' }), of)).not.toContain('BACKED UP');
  });

  it('names every release whatever its outcome', () => {
    const text = renderReport(partial, of);
    for (const each of partial.releases) expect(text).toContain(each.release);
  });

  it.each([
    ['enforced', 'isolation: enforced'],
    ['not isolated', 'isolation: not isolated'],
    [null, 'isolation: not measured'],
  ] as const)('says of a drill that its isolation was %s', (isolated, words) => {
    const drill = { isolated, namespaces: { shop: 'shop-drill-1' }, probes: [] };
    const text = renderReport(result({ type: 'runDrill', drill, releases: [release('shop/db')] }), of);
    expect(text).toMatch(new RegExp(`^DRILLED  complete in 3m 12s .*${words}$`, 'm'));
    expect(text).toContain('RTO');
  });

  it('names no report where a dry run wrote none', () => {
    const plan = { digest: 'd', lines: [], findings: [], overwrites: [], objects: 0, bytes: 0, order: [] };
    expect(renderReport(result({ plan }), of)).not.toContain('report.json');
  });
});

describe('renderPlan', () => {
  const plan = {
    digest: 'abcdef0123456789ffff',
    lines: ['shop/db from point p'],
    findings: ['files is not in the point'],
    overwrites: [],
    objects: 2,
    bytes: 2048,
    order: [],
  };

  it('says that it overwrites nothing', () => {
    expect(renderPlan(plan)).toContain('It overwrites nothing.');
    expect(renderPlan(plan)).toContain('plan abcdef0123456789');
  });

  it('lists what it overwrites', () => {
    expect(renderPlan({ ...plan, overwrites: ['volume claim shop/data'] })).toContain(
      'It overwrites:\n  ! volume claim shop/data',
    );
  });
});
