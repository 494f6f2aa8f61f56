import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/** What one run of a command cost, with everything that it started. */
export type Cost = {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Highest sum of the proportional set sizes of the tree, in bytes, as sampled. */
  readonly peakBytes: number;
};

const sampleEveryMs = 100;

/**
 * Runs a script of bash with pipefail and measures it: wall time and the processors' time of every process that it waited
 * for as bash counts them, memory of the tree by samples. @throws where the script fails
 */
export async function measure(script: string, env: Readonly<Record<string, string>>): Promise<Cost> {
  // rclone fails where the environment names a bundle of authorities, also where it speaks plain HTTP.
  const wrapped = `unset AWS_CA_BUNDLE; set -euo pipefail; TIMEFORMAT='lifeboat-cost %U %S'; time { ${script}\n}`;
  const since = process.hrtime.bigint();
  const child = spawn('bash', ['-c', wrapped], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString('utf8')).slice(-4_000)));
  let peakBytes = 0;
  const timer = setInterval(() => {
    void treeMemory(child.pid ?? 0).then((bytes) => {
      peakBytes = Math.max(peakBytes, bytes);
    });
  }, sampleEveryMs);
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const wallMs = Number(process.hrtime.bigint() - since) / 1e6;
  clearInterval(timer);
  const [, user, system] = /lifeboat-cost ([0-9.]+) ([0-9.]+)/.exec(stderr) ?? [];
  if (code !== 0 || user === undefined || system === undefined)
    throw new Error(`exit ${String(code)} of: ${script}\n${stderr}`);
  return { wallMs, cpuMs: (Number(user) + Number(system)) * 1_000, peakBytes };
}

/** Memory of a process and all its descendants; shared pages count by their share. */
async function treeMemory(root: number): Promise<number> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (Number.isInteger(parent)) parents.set(Number(name), parent);
  }
  let bytes = 0;
  for (const pid of parents.keys()) {
    let at: number | undefined = pid;
    while (at !== undefined && at !== root) at = parents.get(at);
    if (at !== root) continue;
    const rollup = await readFile(`/proc/${String(pid)}/smaps_rollup`, 'utf8').catch(() => '');
    bytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return bytes;
}
