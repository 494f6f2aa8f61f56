import { releaseLabel, type SandboxRelease } from '../sandbox/platform/release.ts';
import { checkWriter, startWriter } from '../sandbox/platform/writer.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { isWhole } from './ledger.ts';
import type { DemoRun } from './run-demo.ts';

/** The upgrade of a database to another major version, as its run and as a client saw it. */
export type UpgradeVerdict = {
  readonly run: DemoRun;
  /** Rows that were acknowledged to the client, and those that are there. */
  readonly acknowledged: number;
  readonly rows: number;
  /** The longest time that the client could not write. */
  readonly longestGapMs: number;
  /** Every acknowledged row is there, and the client wrote on afterwards. */
  readonly consistent: boolean;
};

/** Release and major version that the demo upgrades to. */
export const upgraded = { release: { chart: 'postgresql', namespace: 'shop-data', name: 'postgresql' }, tag: '17' };

/** Upgrades a release blue-green while a client keeps writing. */
export async function upgradeUnderWriter(
  sandbox: Sandbox,
  release: SandboxRelease,
  upgrade: (args: readonly string[]) => Promise<DemoRun>,
): Promise<UpgradeVerdict> {
  const writer = await startWriter(sandbox, release);
  const goesOn = async (): Promise<boolean> => {
    const before = writer.acknowledgedCount;
    for (const until = Date.now() + 60_000; Date.now() < until; ) {
      if (writer.acknowledgedCount > before) return true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return false;
  };
  let run: DemoRun;
  let wroteOn = false;
  let seen: Awaited<ReturnType<typeof writer.stop>>;
  try {
    run = await upgrade([
      ...['upgrade', releaseLabel(release), '--strategy', 'blue-green', '--set-string', `image.tag=${upgraded.tag}`],
      ...['--soak', '15s', '--max-write-gap', '5m'],
      ...['--yes', '--by', 'demo', '--reason', 'another major version', '--json'],
    ]);
    wroteOn = await goesOn();
  } finally {
    seen = await writer.stop();
  }
  const check = await checkWriter(sandbox, release);
  const last = Math.max(...seen.acknowledged);
  return {
    run,
    acknowledged: seen.acknowledged.length,
    rows: check.rows,
    longestGapMs: seen.longestGapMs,
    consistent: wroteOn && isWhole(check) && check.maxId >= last,
  };
}
