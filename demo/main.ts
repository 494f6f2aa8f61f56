import { parseArgs } from 'node:util';
import { runDemo } from './run-demo.ts';

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    context: { type: 'string' },
    temporal: { type: 'string' },
    store: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(
    [
      'npm run demo -- [--keep] [--json] [--context NAME] [--temporal ADDRESS] [--store s3://BUCKET]',
      '  --keep      leaves the platform, Temporal and a worker up',
      '  --json      prints the report as one JSON document',
      '  --context   uses a cluster of your kubeconfig, with the official images',
      '  --temporal  uses your Temporal server for the backup',
      '  --store     uses your bucket (credentials from AWS_*; AWS_ENDPOINT_URL for a server of your own)',
      '',
    ].join('\n'),
  );
} else {
  try {
    process.exitCode = await runDemo(values);
  } catch (error) {
    process.stderr.write(`✗ ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
  // A writer or a worker that a failed step left would keep the process alive.
  process.exit();
}
