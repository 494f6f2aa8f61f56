import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../../activities/index.ts';
import { transferQueue } from '../../model/run-names.ts';

const wait = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

/** Reads and small writes: seconds. */
export const quick = proxyActivities<Activities>({
  startToCloseTimeout: '60s',
  scheduleToCloseTimeout: '5m',
  heartbeatTimeout: '20s',
  cancellationType: wait,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '10s', maximumAttempts: 5 },
});

/** Helm, and waits for pods: minutes. */
export const patient = proxyActivities<Activities>({
  startToCloseTimeout: '20m',
  scheduleToCloseTimeout: '60m',
  heartbeatTimeout: '20s',
  cancellationType: wait,
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 5 },
});

/** Captures, verifications and restores: as long as the bytes take. */
export const transfer = proxyActivities<Activities>({
  taskQueue: transferQueue,
  startToCloseTimeout: '24h',
  scheduleToCloseTimeout: '48h',
  heartbeatTimeout: '20s',
  cancellationType: wait,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '60s', maximumAttempts: 5 },
});

/** Undo that has to succeed: a fence lifted, a workload started, a lock given back. Tried for an hour. */
export const undo = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '60m',
  heartbeatTimeout: '20s',
  cancellationType: wait,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});
