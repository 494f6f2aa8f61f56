import { WorkflowFailedError, type WorkflowHandle, type WorkflowStartOptions } from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { ActivityInterceptor } from '../../activities/activity-interceptor.ts';
import type { RunResult } from '../../model/outcome.ts';
import type { RunProgress } from '../../model/progress.ts';
import { controlQueue, searchAttributes, transferQueue } from '../../model/run-names.ts';
import { installRuntime } from '../../workers/temporal-runtime.ts';
import { findTool } from '../../workers/tools/find-tool.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { type ActivityName, activityNames, FakeActivities } from './fake-activities.ts';

/** After what time Temporal itself ends a run. */
type Timeouts = Pick<WorkflowStartOptions, 'workflowExecutionTimeout' | 'workflowRunTimeout'>;

/** How a run closed: the status that Temporal shows, and the result wherever it travelled. */
export type Closed = {
  readonly status: string;
  readonly result: RunResult | undefined;
  readonly outcomeAttribute: string | undefined;
};

// A busy machine takes its time for a replay.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** INDEXED_VALUE_TYPE_KEYWORD of Temporal's API. */
const indexedAsKeyword = 2;
const outcomeKey = defineSearchAttributeKey(searchAttributes.outcome, SearchAttributeType.KEYWORD);

/**
 * A Temporal server with virtual time, the real workflow bundle, and faked activities on both queues. Each test gets
 * its own fakes by `fresh`; `replay` runs the histories of the test once more on the bundle.
 */
export class RunGround {
  fakes = new FakeActivities();
  private handles: WorkflowHandle[] = [];
  private running: Promise<void>[] = [];
  private count = 0;
  private readonly environment: TestWorkflowEnvironment;
  private readonly bundle: WorkflowBundleOption;
  private readonly workers: Worker[];

  private constructor(environment: TestWorkflowEnvironment, bundle: WorkflowBundleOption, workers: Worker[]) {
    this.environment = environment;
    this.bundle = bundle;
    this.workers = workers;
  }

  static async open(): Promise<RunGround> {
    installRuntime();
    const path = await findTool('temporal-test-server');
    const environment = await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: 'existing-path', path } },
    });
    // This server can add search attributes but not list them.
    await environment.connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: Object.fromEntries(Object.values(searchAttributes).map((name) => [name, indexedAsKeyword])),
    });
    const bundle = await workflowBundle();
    const ground = new RunGround(environment, bundle, []);
    const activities = Object.fromEntries(
      activityNames.map((name: ActivityName) => [name, (of: unknown) => ground.fakes.run(name, of)]),
    );
    for (const taskQueue of [controlQueue, transferQueue]) {
      ground.workers.push(
        await Worker.create({
          connection: environment.nativeConnection,
          taskQueue,
          workflowBundle: bundle,
          activities,
          interceptors: { activity: [() => ({ inbound: new ActivityInterceptor() })] },
          maxHeartbeatThrottleInterval: '50ms',
        }),
      );
    }
    ground.running = ground.workers.map((worker) => worker.run());
    return ground;
  }

  async close(): Promise<void> {
    for (const worker of this.workers) worker.shutdown();
    await Promise.all(this.running);
    await this.environment.teardown();
  }

  /** Forgets the fakes and runs of the test before. */
  fresh(): FakeActivities {
    this.fakes = new FakeActivities();
    this.handles = [];
    return this.fakes;
  }

  async start(type: string, input?: unknown, timeouts: Timeouts = {}): Promise<WorkflowHandle> {
    this.count += 1;
    const handle = await this.environment.client.workflow.start(type, {
      ...timeouts,
      taskQueue: controlQueue,
      workflowId: `${type}-${String(this.count)}`,
      args: input === undefined ? [] : [input],
    });
    this.handles.push(handle);
    return handle;
  }

  /** Waits for the end of a run, with virtual time going on. */
  async closed(handle: WorkflowHandle): Promise<Closed> {
    const result = await handle.result().then(
      (value) => value as RunResult,
      (error: unknown) => {
        if (!(error instanceof WorkflowFailedError)) throw error;
        return error.cause instanceof ApplicationFailure
          ? (error.cause.details?.[0] as RunResult | undefined)
          : undefined;
      },
    );
    const { status, typedSearchAttributes } = await handle.describe();
    return { status: status.name, result, outcomeAttribute: typedSearchAttributes.get(outcomeKey) };
  }

  async run(type: string, input?: unknown, timeouts: Timeouts = {}): Promise<Closed> {
    return await this.closed(await this.start(type, input, timeouts));
  }

  /** Lets virtual time go by. */
  async sleep(time: NonNullable<Timeouts['workflowRunTimeout']>): Promise<void> {
    await this.environment.sleep(time);
  }

  /** Waits until the `progress` of a run is as wanted, in real time. */
  async until(handle: WorkflowHandle, wanted: (progress: RunProgress) => boolean): Promise<RunProgress> {
    const end = Date.now() + 30_000;
    for (;;) {
      const progress = await handle.query<RunProgress>('progress').catch(() => undefined);
      if (progress !== undefined && wanted(progress)) return progress;
      if (Date.now() > end) throw new Error(`the run is not as wanted: ${JSON.stringify(progress)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  handle(workflowId: string): WorkflowHandle {
    return this.environment.client.workflow.getHandle(workflowId);
  }

  /** Runs the history of every run of the test, and of those that they started, once more. */
  async replay(): Promise<void> {
    const queue = [...this.handles];
    for (let handle = queue.shift(); handle !== undefined; handle = queue.shift()) {
      const history = await handle.fetchHistory();
      for (const event of history.events ?? []) {
        const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
        if (typeof child === 'string') queue.push(this.handle(child));
      }
      await Worker.runReplayHistory({ workflowBundle: this.bundle }, history, handle.workflowId);
    }
  }
}

/** The ground of the file that runs, and the fakes of its test: there once `useRunGround` was called. */
export let ground: RunGround;
export let fakes: FakeActivities;

/** Opens a ground for all tests of a file and gives each test fresh fakes; after each its runs are replayed. */
export function useRunGround(): void {
  beforeAll(async () => {
    ground = await RunGround.open();
  }, 60_000);
  afterAll(() => ground.close());
  beforeEach(() => {
    fakes = ground.fresh();
  });
  afterEach(() => ground.replay());
}
