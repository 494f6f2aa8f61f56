import { describe, expect, it } from 'vitest';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

describe('backUpRelease of a release whose chart cannot be had', () => {
  it('is partial: the data is in the point, and the point says what it lacks', async () => {
    const reason = 'pack chart oci://registry/db: not found';
    fakes.on('captureComponent', ({ component }) => ({
      component,
      totals: {},
      facts: 1,
      plainBytes: 1,
      storedBytes: 1,
      durationMs: 1,
      notes: [],
      missing: component === 'config' ? [{ stream: 'chart', reason }] : [],
    }));
    let committed: unknown;
    fakes.on('commitPoint', (of) => {
      committed = of.notCaptured;
      return { id: of.point, capturedAt: '', previousCapturedAt: null, storedBytes: 1, suspect: null };
    });

    const { status, result } = await ground.run('backUpRelease', { release: 'shop/db' });

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(result?.releases[0]?.recoveryPoint).toBe('new point of shop/db');
    expect(committed).toEqual([{ component: 'config.chart', reason }]);
    expect(result?.releases[0]?.components).toContainEqual(
      expect.objectContaining({ component: 'config.chart', outcome: 'not captured', reason }),
    );
  });
});
