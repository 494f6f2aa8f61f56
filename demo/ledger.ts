import { releaseLabel, type SandboxRelease } from '../sandbox/platform/release.ts';
import {
  checkWriter,
  hasWriter,
  type RunningWriter,
  startWriter,
  type WriterCheck,
} from '../sandbox/platform/writer.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** Writers beside each other, one a database. */
export type Writers = { readonly release: SandboxRelease; readonly writer: RunningWriter }[];

/** What a ledger says after the recovery, judged by what its writer saw acknowledged. */
export type LedgerVerdict = {
  readonly release: string;
  /** Acknowledged before the backup began, and in all. */
  readonly acknowledgedBefore: number;
  readonly acknowledgedInAll: number;
  readonly rows: number;
  readonly sum: number;
  /** No row is missing inside, none acknowledged before the backup is lost, and the sum is whole. */
  readonly consistent: boolean;
};

/** Whether no row of a ledger is missing inside, and its sum is whole. */
export function isWhole({ rows, sum, maxId }: WriterCheck): boolean {
  return rows === maxId && sum === 100_000;
}

/** Starts the writers of the releases that have one. */
export async function startWriters(sandbox: Sandbox, releases: readonly SandboxRelease[]): Promise<Writers> {
  const written = (
    await Promise.all(releases.map(async (release) => ((await hasWriter(release)) ? [release] : [])))
  ).flat();
  return await Promise.all(written.map(async (release) => ({ release, writer: await startWriter(sandbox, release) })));
}

/** Reads the recovered ledgers. */
export async function judgeLedgers(
  sandbox: Sandbox,
  of: readonly { release: SandboxRelease; acknowledgedBefore: number; acknowledgedInAll: number }[],
): Promise<LedgerVerdict[]> {
  return await Promise.all(
    of.map(async ({ release, acknowledgedBefore, acknowledgedInAll }) => {
      const check = await checkWriter(sandbox, release);
      const { rows, sum } = check;
      const consistent = isWhole(check) && rows >= acknowledgedBefore;
      return { release: releaseLabel(release), acknowledgedBefore, acknowledgedInAll, rows, sum, consistent };
    }),
  );
}
