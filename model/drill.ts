import { z } from 'zod';

/** Source namespace → scratch namespace: where a drill brings the releases of each namespace. */
export const Moves = z.record(z.string(), z.string());
export type Moves = z.infer<typeof Moves>;

/** Whether the network kept a drill apart from what is live; null where the run ended before that was measured. */
export type Isolation = 'enforced' | 'not isolated' | null;

/** The release that a drill took because a recovery of it was proven longest ago. */
export type DrillChoice = {
  readonly release: string;
  /** When a point of it was last restored and found equal, ISO-8601 UTC; null where none ever was. */
  readonly restoredAt: string | null;
  readonly why: string;
};

/** What a drill says beside the results of its releases. */
export type DrillReport = {
  readonly isolated: Isolation;
  readonly namespaces: Moves;
  /** One line a probe: what was reached before the policy, and what of it after. */
  readonly probes: readonly string[];
  /** Where the drill chose its release itself. */
  readonly chosen?: DrillChoice;
};

/** An address inside the cluster that a text names: `mysql.web`, `mysql.web.svc.cluster.local`. */
export type Endpoint = { readonly service: string; readonly namespace: string };

/** The scratch namespace of a drill for a source namespace; a name of Kubernetes has at most 63 characters. */
export function scratchNamespace(namespace: string, drill: string): string {
  const ending = `-drill-${drill}`;
  return `${namespace.slice(0, 63 - ending.length).replace(/-+$/, '')}${ending}`;
}

const anyEndpoint =
  /(?<![a-zA-Z0-9_-])([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:(?=\.svc(?![a-zA-Z0-9_-]))(\.svc)|(?!\.?[a-zA-Z0-9_-]))/g;

/** Namespaces of the cluster itself: a drill does not move them, its isolation keeps it from them. */
const ofTheCluster: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

/**
 * The addresses that a text names: `SERVICE.NAMESPACE.svc` in any namespace, `SERVICE.NAMESPACE` in one of the given
 * namespaces; shorter ones mean a Service beside the reader, and those of the cluster itself are left out.
 */
export function findEndpoints(text: string, namespaces: ReadonlySet<string>): Endpoint[] {
  return [...text.matchAll(anyEndpoint)].flatMap(([, service = '', namespace = '', qualified]) =>
    (qualified !== undefined && !ofTheCluster.has(namespace)) || namespaces.has(namespace)
      ? [{ service, namespace }]
      : [],
  );
}

/** A text with the addresses of moved namespaces rewritten. */
export function moveEndpoints(text: string, moves: Moves): string {
  return text.replace(anyEndpoint, (whole, service: string, namespace: string, qualified: string | undefined) => {
    const to = Object.hasOwn(moves, namespace) ? moves[namespace] : undefined;
    return to === undefined ? whole : `${service}.${to}${qualified ?? ''}`;
  });
}

/** A value with every text in it changed; `key` is the name of the field that holds the text. */
export function mapTexts(value: unknown, change: (text: string, key: string) => string, key = ''): unknown {
  if (typeof value === 'string') return change(value, key);
  if (Array.isArray(value)) return value.map((each) => mapTexts(each, change, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapTexts(each, change, name)]));
}

/** Values of a chart as they are in the scratch namespaces: addresses, and fields that hold a namespace. */
export function moveValues(values: unknown, moves: Moves): unknown {
  return mapTexts(values, (text, key) =>
    /namespace/i.test(key) && Object.hasOwn(moves, text) ? (moves[text] ?? text) : moveEndpoints(text, moves),
  );
}

/** A value of a scratch namespace as it was captured; the names of scratch namespaces are in no other text. */
export function moveBack(value: unknown, moves: Moves): unknown {
  return mapTexts(value, (text) =>
    Object.entries(moves).reduce((moved, [source, scratch]) => moved.replaceAll(scratch, source), text),
  );
}
