import { Client, Connection } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { failure } from '../model/failures.ts';

/** How long a Temporal server may take to answer before it is called unreachable. */
const connectTimeoutMs = 6_000;

/** A client of a Temporal server. @throws TemporalUnreachable within seconds */
export async function connectClient(address: string, namespace: string): Promise<Client & { connection: Connection }> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: connectTimeoutMs });
    return Object.assign(new Client({ connection, namespace }), { connection });
  } catch (error) {
    throw failure('TemporalUnreachable', {
      message: `connect to Temporal at ${address}: ${firstLine(error)}`,
      cause: error,
    });
  }
}

/** A worker's connection. @throws TemporalUnreachable */
export async function connectWorker(address: string): Promise<NativeConnection> {
  // The native library takes a while to load; a client does not need it.
  const [worker, { installRuntime }] = await Promise.all([
    import('@temporalio/worker'),
    import('./temporal-runtime.ts'),
  ]);
  installRuntime();
  try {
    return await worker.NativeConnection.connect({ address });
  } catch (error) {
    throw failure('TemporalUnreachable', {
      message: `connect to Temporal at ${address}: ${firstLine(error)}`,
      cause: error,
    });
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 200) ?? '';
}
