import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../../activities/facts/manifest.ts';
import { otherNamespaces, whyNotInto } from '../../../activities/facts/other-namespaces.ts';

const plain = parseManifest('{ kind: Service, metadata: { name: web } }');
const own = parseManifest('{ kind: Service, metadata: { name: web, namespace: shop } }');
const beside = [...own, ...parseManifest('{ kind: Role, metadata: { name: lease, namespace: kube-system } }')];
const values = '{"host":"db.shop.svc"}';

describe('otherNamespaces', () => {
  it('are those that objects name, but for their own', () => {
    expect(otherNamespaces(beside, 'shop')).toEqual(['kube-system']);
    expect(otherNamespaces([...plain, ...own], 'shop')).toEqual([]);
  });
});

describe('whyNotInto', () => {
  it('is nothing in the namespace that the release was captured in', () => {
    expect(whyNotInto({ objects: beside, values }, 'shop', 'shop')).toBeUndefined();
  });

  it('is what it has in a third namespace, which another release of the same chart would replace', () => {
    expect(whyNotInto({ objects: beside, values: '{}' }, 'shop', 'copy')).toContain('kube-system beside shop');
    expect(whyNotInto({ objects: beside, values: '{}' }, 'shop', 'kube-system')).toContain('kube-system beside shop');
  });

  it('is its own name in the values of a chart that writes it into its objects', () => {
    expect(whyNotInto({ objects: own, values }, 'shop', 'copy')).toBe('its values may name the namespace shop');
    expect(whyNotInto({ objects: own, values: '{"host":"db.shopping.svc"}' }, 'shop', 'copy')).toBeUndefined();
    expect(whyNotInto({ objects: plain, values }, 'shop', 'copy')).toBeUndefined();
  });

  it('is nothing where what the values name is moved with them', () => {
    expect(whyNotInto({ objects: own, values: undefined }, 'shop', 'copy')).toBeUndefined();
  });
});
