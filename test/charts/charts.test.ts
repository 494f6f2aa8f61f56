import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { findTool } from '../../workers/tools/find-tool.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', 'charts');
const charts = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'common')
  .map((entry) => entry.name);
const valuesOf = (chart: string): string[] =>
  readdirSync(join(root, chart, 'ci')).filter((name) => name.endsWith('-values.yaml'));
const cases = charts.flatMap((chart) => valuesOf(chart).map((values) => ({ chart, values })));

describe('the charts', () => {
  let helm = '';
  let directory = '';

  beforeAll(async () => {
    helm = await findTool('helm');
    // A copy: `helm dependency build` writes into a chart.
    directory = mkdtempSync(join(tmpdir(), 'lifeboat-charts-'));
    cpSync(root, directory, { recursive: true });
    for (const chart of charts) await run(helm, ['dependency', 'build', join(directory, chart)]);
  }, 120_000);

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it.each(cases)('$chart lints with $values', async ({ chart, values }) => {
    const { stdout } = await run(helm, [
      'lint',
      '--strict',
      join(directory, chart),
      '-f',
      join(directory, chart, 'ci', values),
    ]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  it.each(cases)('$chart renders with $values as it did', async ({ chart, values }) => {
    const { stdout } = await run(helm, [
      'template',
      'release',
      join(directory, chart),
      '-n',
      'space',
      '-f',
      join(directory, chart, 'ci', values),
    ]);
    await expect(stdout).toMatchFileSnapshot(join(root, chart, 'ci', 'golden', values));
  });

  it.each(cases)('$chart renders the same twice with $values: nothing is made up', async ({ chart, values }) => {
    const args = [
      'template',
      'release',
      join(directory, chart),
      '-n',
      'space',
      '-f',
      join(directory, chart, 'ci', values),
    ];
    expect((await run(helm, args)).stdout).toBe((await run(helm, args)).stdout);
  });

  it.each(charts)('%s refuses a value that its schema does not know', async (chart) => {
    const values = join(directory, chart, 'ci', valuesOf(chart)[0] ?? '');
    await expect(
      run(helm, ['template', 'release', join(directory, chart), '-f', values, '--set', 'nonsense.key=1']),
    ).rejects.toThrow(/nonsense/);
  });

  it.each(charts)('%s labels its pods as plans look for them, with probes and without privileges', async (chart) => {
    const values = join(directory, chart, 'ci', valuesOf(chart)[0] ?? '');
    const { stdout } = await run(helm, ['template', 'release', join(directory, chart), '-f', values]);
    const workloads = parseAllDocuments(stdout)
      .map((document) => document.toJS() as Workload)
      .filter((object) => ['StatefulSet', 'Deployment'].includes(object.kind));
    expect(workloads.length).toBeGreaterThan(0);
    for (const { spec } of workloads) {
      expect(spec.template.metadata.labels).toMatchObject({
        'app.kubernetes.io/name': chart,
        'app.kubernetes.io/instance': 'release',
      });
      for (const container of spec.template.spec.containers) {
        expect(container.readinessProbe, container.name).toBeDefined();
        expect(container.securityContext.allowPrivilegeEscalation, container.name).toBe(false);
      }
    }
  });

  it.each(charts)('%s describes every top-level value in its README', (chart) => {
    const readme = readFileSync(join(root, chart, 'README.md'), 'utf8');
    const values = parse(readFileSync(join(root, chart, 'values.yaml'), 'utf8')) as Record<string, unknown>;
    const described = Object.keys(values).filter((name) => new RegExp(`^\\| \`${name}[.\`]`, 'm').test(readme));
    expect(described).toEqual(Object.keys(values));
  });
});

type Workload = {
  kind: string;
  spec: {
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        containers: {
          name: string;
          readinessProbe?: object;
          securityContext: { allowPrivilegeEscalation?: boolean };
        }[];
      };
    };
  };
};
