import { checkMachine, installPackages } from '../sandbox/machine.ts';
import { findTool } from '../workers/tools/find-tool.ts';

/** What asks for no store on a real S3 server, which a fresh machine compiles. */
const withoutS3: ReadonlySet<string> = new Set(['models', 'workflows', 'seeded', 'charts']);

/**
 * Installs what suites use that need no sandbox: Debian's programs, an S3 server. Where nothing can be installed, each suite says
 * what it lacks.
 */
export async function prepareTests(suites: readonly string[], progress: (line: string) => void): Promise<void> {
  const canInstall = await checkMachine().then(
    () => true,
    () => false,
  );
  if (!canInstall) return;
  await installPackages(progress);
  if (suites.some((suite) => !withoutS3.has(suite))) await findTool('versitygw', progress);
}

if (import.meta.main)
  // What the check runs.
  await prepareTests(['unit', 'models', 'workflows'], (line) => {
    process.stderr.write(`${line}\n`);
  });
