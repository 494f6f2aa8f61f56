import { failure } from '../../model/failures.ts';
import { openBackends } from '../../workers/open-backends.ts';
import { startWorker } from '../../workers/run-worker.ts';
import { registerSearchAttributes } from '../../workers/search-attributes.ts';
import { connectWorker } from '../../workers/temporal-connection.ts';
import { act, type Verb } from '../verb.ts';

/** `lifeboat worker` */
export const worker: Verb = (program) => {
  program
    .command('worker')
    .description('run a worker until it is stopped (SIGINT, SIGTERM)')
    .action(
      act(async (session) => {
        const loaded = await session.platform();
        const { address, namespace } = loaded.platform.temporal;
        const backends = await openBackends(loaded, await session.kit(), { temporalAddress: address });
        const probe = await backends.store.probe();
        if (!probe.conditionalPut) throw failure('StoreNotConditional', { message: `probe store ${probe.address}: two writers of one key both succeeded` });
        await registerSearchAttributes((await session.client()).connection, namespace);
        const running = await startWorker({ backends, connection: await connectWorker(address), namespace });
        session.terminal.note(`worker of platform ${loaded.platform.platform} polls ${address}`);
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void running.stop());
        await running.ended;
        return 0;
      }),
    );
};
