import type { Cost } from './measure.ts';

/** What one contender took in each counted round. */
export type Row = { readonly what: string; readonly name: string; readonly costs: readonly Cost[] };

/** When, where and with what a bench ran. */
export type Circumstances = {
  readonly at: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly bytes: number;
  /** Where the data are files. */
  readonly files?: number;
  readonly rounds: number;
};

/** A whole run of the bench. */
export type Results = Circumstances & { readonly rows: readonly Row[] };

/** The middle of some values; of two in the middle their mean. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The results as a table in Markdown: medians, lowest and highest speed, and the ratio to the first of its kind. */
export function describeResults({ rows, ...circumstances }: Results): string {
  const { bytes } = circumstances;
  const speed = ({ wallMs }: Cost): number => bytes / 1e3 / wallMs;
  const lines = rows.map(({ what, name, costs }) => {
    const first = rows.find((row) => row.what === what);
    const speeds = costs.map(speed);
    const own = median(speeds);
    const ratio = own / median((first?.costs ?? []).map(speed));
    const cpu = median(costs.map(({ cpuMs }) => cpuMs)) / 1e3 / (bytes / 1e9);
    const peak = Math.max(...costs.map(({ peakBytes }) => peakBytes)) / 2 ** 20;
    const range = `${Math.min(...speeds).toFixed(0)}–${Math.max(...speeds).toFixed(0)}`;
    return `| ${what} | \`${name.replaceAll('|', '\\|')}\` | ${own.toFixed(0)} | ${range} | ${ratio.toFixed(2)} | ${cpu.toFixed(2)} | ${peak.toFixed(0)} |`;
  });
  const head = [
    '| | command | MB/s | lowest–highest | × the first | CPU-s/GB | peak MiB |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ];
  return describe(circumstances, [...head, ...lines]);
}

function describe({ at, machine, versions, bytes, files, rounds }: Circumstances, table: readonly string[]): string {
  return [
    `${at}, ${machine}, ${files === undefined ? '' : `${String(files)} files of `}${(bytes / 1e6).toFixed(0)} MB, ${String(rounds)} rounds`,
    ...Object.entries(versions).map(([name, version]) => `${name}: ${version}`),
    '',
    ...table,
  ].join('\n');
}

/** Something that the data path must stay within. */
export type Limit = {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** What it should be at most. */
  readonly goal?: number | undefined;
  /** What it must not exceed: it was reached, and does not depend on what else the machine does. */
  readonly gate?: number | undefined;
};

/** The limits as a table in Markdown. */
export function describeLimits({
  limits,
  ...circumstances
}: Circumstances & { readonly limits: readonly Limit[] }): string {
  const number = (value: number | undefined): string =>
    value === undefined ? '' : value.toFixed(value < 10 ? 2 : 0).replace(/\.00$/, '');
  const lines = limits.map(({ name, unit, value, goal, gate }) => {
    const isMet = goal === undefined ? '' : value <= goal ? 'met' : 'missed';
    return `| ${name} | ${number(value)} | ${unit.replaceAll('|', '\\|')} | ${number(goal)} | ${isMet} | ${number(gate)} |`;
  });
  const head = ['| | measured | | goal, at most | | gate |', '| --- | --- | --- | --- | --- | --- |'];
  return describe(circumstances, [...head, ...lines]);
}
