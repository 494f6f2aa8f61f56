import type { V1Namespace, V1NetworkPolicy, V1Pod } from '@kubernetes/client-node';
import { addresses } from '../layout.ts';

/** What the rules are made from: everything of its kind in the cluster. */
export type PolicyObjects = {
  readonly namespaces: readonly V1Namespace[];
  readonly policies: readonly V1NetworkPolicy[];
  readonly pods: readonly V1Pod[];
};

/** Label of a namespace whose policies are not enforced, so that a test can see what happens then. */
export const policiesOff = 'sandbox.lifeboat.local/network-policies';

/** Our table; one command removes it. */
export const policyTable = 'lifeboat-policies';

/**
 * The rules of nftables for the network policies of the cluster; null where none has to be enforced. Enforced is what a
 * policy for all pods of a namespace says of both directions: peers by the labels of their namespace, ports open to
 * all. While there is such a namespace, the address of a pod that is not known yet is kept in as well: no pod of it
 * can speak before its rules are there.
 */
export function policyRules({ namespaces, policies, pods }: PolicyObjects): string | null {
  const labelsOf = new Map(namespaces.map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}]));
  const enforced = policies.filter(
    ({ metadata, spec }) =>
      labelsOf.get(metadata?.namespace ?? '')?.[policiesOff] !== 'off' &&
      Object.keys(spec?.podSelector?.matchLabels ?? {}).length === 0 &&
      ['Ingress', 'Egress'].every((type) => spec?.policyTypes?.includes(type)),
  );
  if (enforced.length === 0) return null;
  const closed = new Set(enforced.map(({ metadata }) => metadata?.namespace ?? ''));
  const known = pods.flatMap(({ metadata, status }) =>
    status?.podIP === undefined || status.phase === 'Succeeded' || status.phase === 'Failed'
      ? []
      : [{ namespace: metadata?.namespace ?? '', address: status.podIP }],
  );
  const open = known.filter(({ namespace }) => !closed.has(namespace)).map(({ address }) => address);
  const pairs = new Set<string>();
  const ports = new Set<string>();
  for (const { metadata, spec } of enforced) {
    const own = known.filter(({ namespace }) => namespace === metadata?.namespace);
    const peers = (selector: Readonly<Record<string, string>> | undefined): typeof known =>
      selector === undefined
        ? []
        : known.filter(({ namespace }) =>
            Object.entries(selector).every(([key, value]) => labelsOf.get(namespace)?.[key] === value),
          );
    for (const { to, ports: given } of spec?.egress ?? []) {
      for (const peer of to ?? [])
        for (const { address: there } of peers(peer.namespaceSelector?.matchLabels))
          for (const { address } of own) pairs.add(`${address} . ${there}`);
      if (to === undefined)
        for (const { protocol, port } of given ?? [])
          ports.add(`${(protocol ?? 'TCP').toLowerCase()} . ${String(port)}`);
    }
  }
  const set = (name: string, type: string, elements: Iterable<string>): string => {
    const all = [...elements].sort();
    return `  set ${name} { type ${type}; ${all.length === 0 ? '' : `elements = { ${all.join(', ')} }`} }`;
  };
  const kept = `ip saddr ${addresses.podRange} ip saddr != ${addresses.gateway} ip saddr != @open`;
  return `table ip ${policyTable} {
${set('open', 'ipv4_addr', new Set(open))}
${set('pairs', 'ipv4_addr . ipv4_addr', pairs)}
${set('ports', 'inet_proto . inet_service', ports)}
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ip saddr . ip daddr @pairs accept
    ${kept} meta l4proto . th dport @ports accept
    ${kept} drop
    ip daddr ${addresses.podRange} ip daddr != ${addresses.gateway} ip daddr != @open drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "${addresses.bridge}" accept
    ct state established,related accept
    ${kept} meta l4proto . th dport @ports accept
    ${kept} drop
  }
}
`;
}
