import type { V1Namespace, V1NetworkPolicy, V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { policiesOff, policyRules } from '../../sandbox/kubernetes/policy-rules.ts';

const namespace = (name: string, labels: Record<string, string> = {}): V1Namespace => ({ metadata: { name, labels } });
const pod = (of: string, podIP?: string, phase = 'Running'): V1Pod => ({
  metadata: { namespace: of },
  status: { phase, ...(podIP === undefined ? {} : { podIP }) },
});
/** A policy as a drill makes it: those of the same drill, and port 53. */
const closing = (of: string, drill = 'one', spec: Partial<V1NetworkPolicy['spec']> = {}): V1NetworkPolicy => {
  const same = { namespaceSelector: { matchLabels: { drill } } };
  const names = ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 }));
  return {
    metadata: { namespace: of },
    spec: {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ _from: [same] }],
      egress: [{ to: [same] }, { ports: names }],
      ...spec,
    },
  };
};
const namespaces = [
  namespace('web-drill', { drill: 'one' }),
  namespace('data-drill', { drill: 'one' }),
  namespace('other-drill', { drill: 'two' }),
  namespace('web'),
];
const pods = [
  pod('web-drill', '10.244.0.10'),
  pod('data-drill', '10.244.0.11'),
  pod('other-drill', '10.244.0.12'),
  pod('web', '10.244.0.20'),
];

/** The elements of a set of nftables. */
function elements(rules: string | null, set: string): string[] {
  const line = rules?.split('\n').find((each) => each.includes(`set ${set} {`)) ?? '';
  const found = /elements = \{ ([^}]*) \}/.exec(line)?.[1];
  return found === undefined ? [] : found.split(', ');
}

describe('policyRules', () => {
  it('lets the pods of one drill talk with each other, in both directions, and with nobody else', () => {
    const rules = policyRules({ namespaces, pods, policies: ['web-drill', 'data-drill'].map((of) => closing(of)) });

    expect(elements(rules, 'pairs')).toEqual([
      '10.244.0.10 . 10.244.0.10',
      '10.244.0.10 . 10.244.0.11',
      '10.244.0.11 . 10.244.0.10',
      '10.244.0.11 . 10.244.0.11',
    ]);
    expect(elements(rules, 'open')).toEqual(['10.244.0.12', '10.244.0.20']);
    expect(elements(rules, 'ports')).toEqual(['tcp . 53', 'udp . 53']);
  });

  it('keeps two drills apart', () => {
    const policies = [closing('web-drill'), closing('other-drill', 'two')];
    const rules = policyRules({ namespaces, pods, policies });

    expect(elements(rules, 'pairs')).toEqual([
      '10.244.0.10 . 10.244.0.10',
      '10.244.0.10 . 10.244.0.11',
      '10.244.0.12 . 10.244.0.12',
    ]);
    // No policy closes data-drill itself here.
    expect(elements(rules, 'open')).toEqual(['10.244.0.11', '10.244.0.20']);
  });

  it('keeps in a pod whose address is not known yet, and drops what comes to it', () => {
    const rules = policyRules({
      namespaces,
      policies: [closing('web-drill')],
      pods: [pod('web-drill'), pod('web', '10.244.0.20')],
    });

    expect(elements(rules, 'pairs')).toEqual([]);
    expect(elements(rules, 'open')).toEqual(['10.244.0.20']);
    const chain = (name: string): string[] =>
      (rules ?? '')
        .slice((rules ?? '').indexOf(`chain ${name}`))
        .split('}')[0]
        ?.split('\n') ?? [];
    const kept = 'ip saddr 10.244.0.0/24 ip saddr != 10.244.0.1 ip saddr != @open';
    // The order decides: what is allowed, and only then the drop; towards the host too.
    expect(chain('forward').map((line) => line.trim())).toEqual([
      'chain forward {',
      'type filter hook forward priority filter; policy accept;',
      'ct state established,related accept',
      'ip saddr . ip daddr @pairs accept',
      `${kept} meta l4proto . th dport @ports accept`,
      `${kept} drop`,
      'ip daddr 10.244.0.0/24 ip daddr != 10.244.0.1 ip daddr != @open drop',
      '',
    ]);
    expect(chain('input').map((line) => line.trim())).toEqual(
      expect.arrayContaining([`${kept} meta l4proto . th dport @ports accept`, `${kept} drop`]),
    );
  });

  it('does not count the address of a pod that ended: another pod may have it by now', () => {
    const rules = policyRules({
      namespaces,
      policies: [closing('web-drill')],
      pods: [...pods, pod('web', '10.244.0.30', 'Succeeded'), pod('web', '10.244.0.31', 'Failed')],
    });
    expect(elements(rules, 'open')).not.toContain('10.244.0.30');
    expect(elements(rules, 'open')).not.toContain('10.244.0.31');
  });

  it.each<[string, V1NetworkPolicy]>([
    ['its namespace switched them off', closing('off')],
    ['it is for some pods', closing('web', 'one', { podSelector: { matchLabels: { app: 'x' } } })],
    ['it says nothing of what goes out', closing('web', 'one', { policyTypes: ['Ingress'] })],
  ])('enforces nothing of a policy where %s', (_why, policy) => {
    const all = [...namespaces, namespace('off', { [policiesOff]: 'off' })];
    expect(policyRules({ namespaces: all, pods, policies: [policy] })).toBeNull();
  });

  it('needs no rules where there is no policy', () => {
    expect(policyRules({ namespaces, pods, policies: [] })).toBeNull();
  });

  it('opens nothing where a policy allows nothing', () => {
    const rules = policyRules({ namespaces, pods, policies: [closing('web-drill', 'one', { egress: [] })] });
    for (const set of ['pairs', 'ports']) expect(elements(rules, set)).toEqual([]);
    expect(rules).toContain('set pairs { type ipv4_addr . ipv4_addr;  }');
  });
});
