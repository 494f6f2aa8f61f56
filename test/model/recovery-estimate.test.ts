import { describe, expect, it } from 'vitest';
import { estimateRecoveryMs } from '../../model/recovery-estimate.ts';

const hour = 3_600_000;
const gib = 1024 ** 3;

describe('estimateRecoveryMs', () => {
  it('is the objective where the data is small', () => {
    expect(estimateRecoveryMs({ rtoMs: hour, plainBytes: 1_024, live: true })).toBe(hour);
  });

  it('is what the bytes take where that is more, and more over live data', () => {
    const gone = estimateRecoveryMs({ rtoMs: hour, plainBytes: 100 * gib, live: false });
    expect(gone).toBe(3 * 10_240_000 + 600_000);
    expect(estimateRecoveryMs({ rtoMs: hour, plainBytes: 100 * gib, live: true })).toBe(6 * 10_240_000 + 600_000);
  });
});
