import { WorkflowFailedError, type WorkflowHandle, type WorkflowStartOptions } from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, expect, vi } from 'vitest';
import { ActivityInterceptor } from '../../activities/activity-interceptor.ts';
import type { RunResult } from '../../model/outcome.ts';
import type { RunProgress } from '../../model/progress.ts';
import { controlQueue, searchAttributes, transferQueue } from '../../model/run-names.ts';
import { installRuntime } from '../../workers/temporal-runtime.ts';
import { findTool } from '../../workers/tools/find-tool.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { type RunHistory, replay } from '../replay.ts';
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
 * its own fakes by `fresh`; `replay` runs the histories of all tests once more on the bundle.
 */
export class RunGround {
  fakes = new FakeActivities();
  private readonly started: { readonly test: string; readonly handle: WorkflowHandle }[] = [];
  private running: Promise<void>[] = [];
  private count = 0;
  private readonly environment: TestWorkflowEnvironment;
  private readonly workers: Worker[];

  private constructor(environment: TestWorkflowEnvironment, workers: Worker[]) {
    this.environment = environment;
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
    const ground = new RunGround(environment, []);
    const activities = Object.fromEntries(
      activityNames.map((name: ActivityName) => [name, (of: unknown) => ground.fakes.run(name, of)]),
    );
    for (const taskQueue of [controlQueue, transferQueue]) {
      ground.workers.push(
        await Worker.create({
          connection: environment.nativeConnection,
          taskQueue,
          ...(taskQueue === controlQueue ? { workflowBundle: bundle } : {}),
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

  /** Forgets the fakes of the test before. */
  fresh(): FakeActivities {
    this.fakes = new FakeActivities();
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
    this.started.push({ test: expect.getState().currentTestName ?? 'before the tests', handle });
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

  /** Runs the history of every run of the tests, and of those that they started, once more. @returns what differs, a line for each */
  async replay(): Promise<string[]> {
    const broken: string[] = [];
    for await (const { run, error } of replay(this.histories()))
      if (error !== undefined) broken.push(`${run.workflowId} of "${run.test}": ${error.message}`);
    return broken;
  }

  private async *histories(): AsyncGenerator<RunHistory & { readonly test: string }> {
    const queue = [...this.started];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { test, handle } = next;
      const history = await handle.fetchHistory();
      for (const event of history.events ?? []) {
        const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
        if (typeof child === 'string') queue.push({ test, handle: this.handle(child) });
      }
      yield { test, workflowId: handle.workflowId, history };
    }
  }
}

/** The ground of the file that runs, and the fakes of its test: there once `useRunGround` was called. */
export let ground: RunGround;
export let fakes: FakeActivities;

/** Opens a ground for all tests of a file and gives each test fresh fakes; after the last the runs of all are replayed. */
export function useRunGround(): void {
  beforeAll(async () => {
    ground = await RunGround.open();
  }, 60_000);
  beforeEach(() => {
    fakes = ground.fresh();
  });
  afterAll(async () => {
    try {
      expect(await ground.replay()).toEqual([]);
    } finally {
      await ground.close();
    }
  });
}
