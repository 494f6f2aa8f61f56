import { readdirSync, readFileSync } from 'node:fs';
import { kubectl } from '../../sandbox/platform/kubectl.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';

/** A secret value and where it comes from; the value itself is never printed. */
export type WatchedSecret = { readonly from: string; readonly value: string };

/** A place where a secret was found. */
export type Leak = { readonly from: string; readonly form: string; readonly where: string };

/** The values of every Secret in these namespaces that are long enough to be told from chance. */
export async function clusterSecrets(sandbox: Sandbox, namespaces: readonly string[]): Promise<WatchedSecret[]> {
  const found: WatchedSecret[] = [];
  for (const namespace of namespaces) {
    const { items } = JSON.parse(await kubectl(sandbox, ['get', 'secrets', '-n', namespace, '-o', 'json'])) as {
      items: { metadata: { name: string }; type: string; data?: Record<string, string> }[];
    };
    for (const { metadata, type, data } of items) {
      if (type === 'helm.sh/release.v1') continue;
      for (const [key, encoded] of Object.entries(data ?? {}))
        found.push({
          from: `${namespace}/${metadata.name}/${key}`,
          value: Buffer.from(encoded, 'base64').toString('utf8'),
        });
    }
  }
  return found.filter(({ value }) => value.length >= 12);
}

const known = new Map<string, Map<string, string>>();

/** The forms in which a secret could stand somewhere. Base64 also at the other two offsets, without its ends. */
function formsOf(value: string): Map<string, string> {
  const before = known.get(value);
  if (before !== undefined) return before;
  const forms = new Map([
    ['raw', value],
    ['JSON-escaped', JSON.stringify(value).slice(1, -1)],
    ['URL-escaped', encodeURIComponent(value)],
  ]);
  for (const offset of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)])
      .toString('base64')
      .replace(/=+$/, '');
    forms.set(`base64 at ${String(offset)}`, encoded.slice(offset === 0 ? 0 : 4, encoded.length - 2));
  }
  known.set(value, forms);
  return forms;
}

/** Looks for secrets in bytes. */
export function findSecrets(secrets: readonly WatchedSecret[], where: string, bytes: Buffer): Leak[] {
  return secrets.flatMap(({ from, value }) =>
    [...formsOf(value)].filter(([, text]) => bytes.includes(text)).map(([form]) => ({ from, form, where })),
  );
}

/** What a process was called with; nothing for one that has ended. Read in one go: a promise for each costs four times as much. */
function argumentsOf(pid: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Samples the arguments of every process until it is stopped. */
export function watchArguments(secrets: () => readonly WatchedSecret[]): {
  stop(): { leaks: Leak[]; samples: number };
} {
  const leaks: Leak[] = [];
  let samples = 0;
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const line = argumentsOf(pid);
      if (line.length === 0) continue;
      samples += 1;
      leaks.push(...findSecrets(secrets(), `arguments of ${line.toString('utf8').split('\0')[0] ?? pid}`, line));
    }
  }, 250);
  return {
    stop: () => {
      clearInterval(timer);
      return { leaks, samples };
    },
  };
}
