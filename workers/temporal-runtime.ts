import { DefaultLogger, Runtime } from '@temporalio/worker';

let installed = false;

/**
 * Sends the SDK's own log to stderr, errors only, so that it never mixes with a result on stdout. Before the first
 * connection of a worker; a second call does nothing.
 */
export function installRuntime(): void {
  if (installed) return;
  installed = true;
  const level = process.env['LIFEBOAT_LOG'] === 'debug' ? 'DEBUG' : 'ERROR';
  Runtime.install({
    logger: new DefaultLogger(level, ({ level: name, message, meta }) => {
      const error: unknown = meta?.['error'];
      process.stderr.write(`${name} ${message}${error instanceof Error ? `: ${error.message}` : ''}\n`);
    }),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    shutdownSignals: [],
  });
}
