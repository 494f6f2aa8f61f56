import { bringUp, readStatus, takeDown } from './sandbox.ts';

const usage = `usage: npm run sandbox -- up | down | status [--json]

  up      a real Kubernetes, Temporal and S3 server on this machine; twice is a no-op, after a crash it repairs
  down    removes every trace of it
  status  what runs
`;

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function print(value: object, lines: readonly string[], json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : `${lines.join('\n')}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const [verb, ...rest] = args.filter((word) => word !== '--json');
  if (rest.length > 0) {
    process.stderr.write(usage);
    return 2;
  }
  switch (verb) {
    case 'up': {
      const sandbox = await bringUp({}, progress);
      const { kubeconfig, context, temporal, s3 } = sandbox;
      print(
        sandbox,
        [
          `KUBECONFIG    ${kubeconfig}   context ${context}`,
          `Temporal      ${temporal.address}   ${temporal.ui}`,
          `S3            ${s3.endpoint}   key ${s3.accessKeyId}`,
        ],
        json,
      );
      return 0;
    }
    case 'down':
      await takeDown(progress);
      return 0;
    case 'status': {
      const status = await readStatus();
      const rows = status.processes.map(
        ({ name, pid }) => `${name.padEnd(26)}${pid === null ? 'not running' : `pid ${String(pid)}`}`,
      );
      print(
        status,
        [`SANDBOX ${status.state}   ${status.directory}   version ${status.version ?? '–'}`, '', ...rows],
        json,
      );
      return status.state === 'running' ? 0 : 1;
    }
    case undefined:
    default:
      process.stderr.write(usage);
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`✗ ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
