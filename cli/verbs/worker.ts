import { flushCompileCache } from 'node:module';
import { act, type Verb } from '../verb.ts';

/** `lifeboat worker` */
export const worker: Verb = (program) => {
  program
    .command('worker')
    .description(
      'run a worker until it is stopped (SIGINT, SIGTERM); LIFEBOAT_KUBECTL and LIFEBOAT_HELM name other tools than PATH has',
    )
    .action(
      act(async (session) => {
        const loaded = await session.platform();
        const [
          { openBackends },
          { startWorker },
          { registerSearchAttributes },
          { connectWorker },
          { assertConditional },
          { checkSchedules },
        ] = await Promise.all([
          import('../../workers/open-backends.ts'),
          import('../../workers/run-worker.ts'),
          import('../../workers/search-attributes.ts'),
          import('../../workers/temporal-connection.ts'),
          import('../../activities/open-store.ts'),
          import('../../activities/schedule-check.ts'),
        ]);
        const { address, namespace } = loaded.platform.temporal;
        const backends = await openBackends(loaded, await session.kit(), { temporalAddress: address });
        checkSchedules(backends.platform, backends.plans);
        await assertConditional(backends.store);
        await registerSearchAttributes((await session.client()).connection, namespace);
        const running = await startWorker({ backends, connection: await connectWorker(address), namespace });
        session.terminal.note(`worker of platform ${loaded.platform.platform} polls ${address}`);
        // A worker may be killed; the next one should start sooner all the same.
        flushCompileCache();
        // Not `once`: where a child runs, execa's own listener kills a process in which nobody else listens any more.
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void running.stop());
        await running.ended;
        return 0;
      }),
    );
};
