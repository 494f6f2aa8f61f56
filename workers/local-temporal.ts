import { type ChildProcess, spawn } from 'node:child_process';
import { failure } from '../model/failures.ts';
import { freePort } from './free-port.ts';
import { connectClient } from './temporal-connection.ts';
import { findTool } from './tools/find-tool.ts';

/** A Temporal server that this process started. */
export type LocalTemporal = { readonly address: string; readonly ui: string; stop(): Promise<void> };

/**
 * Boots Temporal's dev server with its UI on this machine: what a recovery needs where everything else is gone.
 * It is installed when it is missing. @throws TemporalUnreachable
 */
export async function startLocalTemporal(of: {
  port?: number;
  uiPort?: number;
  databaseFile?: string;
  progress: (line: string) => void;
}): Promise<LocalTemporal> {
  const temporal = process.env['LIFEBOAT_TEMPORAL'] ?? (await findTool('temporal', of.progress));
  const port = of.port ?? (await freePort());
  const uiPort = of.uiPort ?? (await freePort());
  const args = [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--ui-port',
    String(uiPort),
    '--log-level',
    'error',
    '--dynamic-config-value',
    'frontend.WorkflowPauseEnabled=true',
  ];
  if (of.databaseFile !== undefined) args.push('--db-filename', of.databaseFile);
  const child = spawn(temporal, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-2_000);
  });
  const address = `127.0.0.1:${String(port)}`;
  for (let tries = 0; ; tries += 1) {
    if (child.exitCode !== null)
      throw failure('TemporalUnreachable', {
        message: `start Temporal: it ended with ${String(child.exitCode)}: ${said.trim().split('\n').at(-1) ?? ''}`,
      });
    try {
      const client = await connectClient(address, 'default');
      await client.workflowService.describeNamespace({ namespace: 'default' });
      await client.connection.close();
      break;
    } catch (error) {
      if (tries > 60) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
  return { address, ui: `http://127.0.0.1:${String(uiPort)}`, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await closed;
  clearTimeout(timer);
}
