import { type NativeConnection, Worker } from '@temporalio/worker';
import { ActivityInterceptor } from '../activities/activity-interceptor.ts';
import type { Backends } from '../activities/backends.ts';
import { createActivities } from '../activities/index.ts';
import { controlQueue, transferQueue } from '../model/run-names.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** A running worker: its two queues in one process. */
export type RunningWorker = {
  /** Asks it to finish what it does and to stop; resolves when it has. */
  stop(): Promise<void>;
  /** Resolves when it stopped, rejects when it died. */
  readonly ended: Promise<void>;
};

/** Starts a worker of both queues: `lifeboat` for control, `lifeboat-transfer` for bytes, with few slots. */
export async function startWorker(of: {
  backends: Backends;
  connection: NativeConnection;
  namespace: string;
}): Promise<RunningWorker> {
  const { backends, connection, namespace } = of;
  const bundle = await workflowBundle();
  const activities = createActivities(backends);
  const interceptors = { activity: [() => ({ inbound: new ActivityInterceptor() })] };
  const shutdownGraceTime = '5s';
  const control = await Worker.create({
    connection,
    namespace,
    taskQueue: controlQueue,
    workflowBundle: bundle,
    activities,
    interceptors,
    shutdownGraceTime,
    maxConcurrentActivityTaskExecutions: 20,
    maxHeartbeatThrottleInterval: '4s',
  });
  const transfer = await Worker.create({
    connection,
    namespace,
    taskQueue: transferQueue,
    activities,
    interceptors,
    shutdownGraceTime,
    maxConcurrentActivityTaskExecutions: Math.max(2, backends.platform.parallelism),
    maxHeartbeatThrottleInterval: '4s',
  });
  const ended = Promise.all([control.run(), transfer.run()]).then(() => undefined);
  ended.catch(() => undefined);
  return {
    ended,
    stop: async () => {
      for (const worker of [control, transfer]) if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    },
  };
}
