import { describe, expect, it } from 'vitest';
import { describeChange, immutableChanges } from '../../../activities/facts/immutable.ts';
import { parseManifest } from '../../../activities/facts/manifest.ts';

const set = (of: { size?: string; service?: string; image?: string; label?: string } = {}): string => `
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: ${of.service ?? 'db-headless'}
  replicas: 1
  selector: { matchLabels: { app: db } }
  template: { spec: { containers: [{ name: db, image: "${of.image ?? 'db:1'}" }] } }
  volumeClaimTemplates:
    - metadata: { name: data, labels: { chart: "${of.label ?? 'db-1'}" } }
      spec: { resources: { requests: { storage: ${of.size ?? '1Gi'} } } }
`;

function changes(installed: string, wanted: string): string[] {
  return immutableChanges(parseManifest(installed), parseManifest(wanted)).map(describeChange);
}

describe('immutableChanges', () => {
  it('finds nothing in what may change', () => {
    expect(changes(set(), set({ image: 'db:2' }))).toEqual([]);
  });

  it('names each field by its whole path, with both values', () => {
    expect(changes(set(), set({ size: '2Gi', label: 'db-2', service: 'other' }))).toEqual([
      'StatefulSet db spec.serviceName: db-headless → other',
      'StatefulSet db spec.volumeClaimTemplates[0].metadata.labels.chart: db-1 → db-2',
      'StatefulSet db spec.volumeClaimTemplates[0].spec.resources.requests.storage: 1Gi → 2Gi',
    ]);
  });

  it('sees a field that is taken away', () => {
    const without = set().replace(/ {2}volumeClaimTemplates[^]*/, '');

    expect(changes(set(), without)).toEqual([
      expect.stringMatching(/^StatefulSet db spec\.volumeClaimTemplates: \[\{.* → none$/),
    ]);
  });

  it('leaves objects alone that are new, or of another kind', () => {
    expect(changes(set(), set({ size: '2Gi' }).replace('name: db }', 'name: other }'))).toEqual([]);
    expect(
      changes('kind: ConfigMap\nmetadata: { name: a }\ndata: { a: b }', 'kind: ConfigMap\nmetadata: { name: a }'),
    ).toEqual([]);
  });
});
