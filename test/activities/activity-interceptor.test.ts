import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { ActivityInterceptor } from '../../activities/activity-interceptor.ts';
import { failure } from '../../model/failures.ts';

/** What an attempt that fails so tells Temporal. */
async function thrownAt(attempt: number, error: Error): Promise<unknown> {
  const environment = new MockActivityEnvironment({ attempt });
  return await environment.run(() =>
    new ActivityInterceptor()
      .execute({ args: [], headers: {} }, () => Promise.reject(error))
      .catch((thrown: unknown) => thrown),
  );
}

describe('ActivityInterceptor', () => {
  it('gives a pod that went away a minute for its successor', async () => {
    const gone = failure('PodGone', { message: 'find pod of StatefulSet shop/db: none of 0 runs' });
    const delays: unknown[] = [];
    for (const attempt of [1, 2, 3, 4, 5]) {
      const thrown = (await thrownAt(attempt, gone)) as ApplicationFailure;
      expect(thrown).toMatchObject({ type: 'PodGone', nonRetryable: false, details: [gone.view()] });
      delays.push(thrown.nextRetryDelay);
    }

    expect(delays).toEqual([1_000, 4_000, 15_000, 40_000, undefined]);
  });

  it('leaves the delay after another failure to the retries of the activity, and a precondition without any', async () => {
    const failed = await thrownAt(2, failure('DumpFailed', { message: 'capture: exit 1' }));
    const denied = await thrownAt(1, failure('ClusterDenied', { message: 'list pods: 403' }));

    expect(failed).toMatchObject({ type: 'DumpFailed', nonRetryable: false, nextRetryDelay: undefined });
    expect(denied).toMatchObject({ type: 'ClusterDenied', nonRetryable: true, nextRetryDelay: undefined });
  });

  it('lets a defect through as it is', async () => {
    const defect = new TypeError('undefined is not a function');

    expect(await thrownAt(1, defect)).toBe(defect);
    expect(defect).not.toBeInstanceOf(ApplicationFailure);
  });
});
