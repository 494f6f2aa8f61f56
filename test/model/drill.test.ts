import { describe, expect, it } from 'vitest';
import { findEndpoints, moveBack, moveEndpoints, moveValues, scratchNamespace } from '../../model/drill.ts';

const moves = { web: 'web-drill-1', data: 'data-drill-1' };

describe('scratchNamespace', () => {
  it('is a name that Kubernetes takes, however long the source is', () => {
    expect(scratchNamespace('web', 'a1b2c3')).toBe('web-drill-a1b2c3');
    const long = scratchNamespace(`${'x'.repeat(49)}-${'y'.repeat(13)}`, 'a1b2c3');
    expect(long).toBe(`${'x'.repeat(49)}-drill-a1b2c3`);
  });
});

describe('findEndpoints', () => {
  it.each([
    ['mysql.web', ['mysql.web']],
    ['tcp://mysql.web:3306/shop', ['mysql.web']],
    ['mysql-0.mysql.web.svc.cluster.local.', ['mysql.web']],
    ['a=redis.data.svc;b=billing.elsewhere.svc:80', ['redis.data', 'billing.elsewhere']],
    ['user:secret@postgresql.data.svc.cluster.local/db', ['postgresql.data']],
    ['mysql', []],
    ['www.web.example.com', []],
    ['mysql.website and billing.elsewhere', []],
    ['kubernetes.default.svc, kube-dns.kube-system.svc.cluster.local', []],
    ['not.svc', []],
  ])('finds in %s', (text, found) => {
    const namespaces = new Set(['web', 'data']);
    expect(findEndpoints(text, namespaces).map(({ service, namespace }) => `${service}.${namespace}`)).toEqual(found);
  });
});

describe('moveEndpoints and moveBack', () => {
  it('rewrite every address of a moved namespace and nothing else, and back', () => {
    const text = 'mysql.web:3306 mysql-0.mysql.web.svc.cluster.local redis.data.svc www.web.example.com x.other.svc';
    const moved = moveEndpoints(text, moves);
    expect(moved).toBe(
      'mysql.web-drill-1:3306 mysql-0.mysql.web-drill-1.svc.cluster.local redis.data-drill-1.svc www.web.example.com x.other.svc',
    );
    expect(moveBack({ list: [moved, 3] }, moves)).toEqual({ list: [text, 3] });
  });
});

describe('moveValues', () => {
  it('moves addresses, and a namespace where the field says that it is one', () => {
    const values = { database: { host: 'mysql.web', name: 'web', port: 3306 }, peerNamespace: 'data', on: true };
    expect(moveValues(values, moves)).toEqual({
      database: { host: 'mysql.web-drill-1', name: 'web', port: 3306 },
      peerNamespace: 'data-drill-1',
      on: true,
    });
  });
});
