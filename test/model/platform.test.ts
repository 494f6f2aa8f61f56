import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Platform, platformReleases } from '../../model/platform.ts';
import { parsePlatform } from '../../workers/load-config.ts';

const yaml = `
apiVersion: lifeboat/v1
platform: shop
cluster: { name: east }
store: { url: "file:///var/backups" }
recipients: [age1one, age1two]
releases:
  - release: shop/db
`;
const document = (): Record<string, unknown> => parse(yaml) as Record<string, unknown>;

describe('Platform', () => {
  it('fills in what is usual', () => {
    expect(Platform.parse(document())).toEqual({
      apiVersion: 'lifeboat/v1',
      platform: 'shop',
      cluster: { name: 'east' },
      temporal: { address: '127.0.0.1:7233', namespace: 'default' },
      store: { url: 'file:///var/backups', region: 'us-east-1' },
      recipients: ['age1one', 'age1two'],
      parallelism: 2,
      keepFor: '7d',
      objectives: { rto: '4h' },
      releases: [{ release: 'shop/db', requires: [] }],
      schedules: [],
    });
  });

  it.each([
    ['a second version', { apiVersion: 'lifeboat/v2' }],
    ['one recipient', { recipients: ['age1one'] }],
    ['a recipient that is no age key', { recipients: ['age1one', 'ssh-ed25519 AAAA'] }],
    ['a relative directory', { store: { url: 'file://backups' } }],
    ['a store with credentials', { store: { url: 's3://bucket', secretKey: 'x' } }],
    ['no release', { releases: [] }],
    ['a release without a namespace', { releases: [{ release: 'db' }] }],
    ['a tier that there is not', { releases: [{ release: 'shop/db', tier: 5 }] }],
    ['a downtime without a unit', { releases: [{ release: 'shop/db', allowDowntime: 90 }] }],
    ['no parallelism', { parallelism: 0 }],
    [
      'a session of a mover that STS does not give',
      { mover: { image: 'x', role: 'arn:aws:iam::1:role/x', session: '5m' } },
    ],
    ['a role that is none', { mover: { image: 'x', role: 'lifeboat-mover' } }],
  ])('refuses %s', (_what, change) => {
    expect(Platform.safeParse({ ...document(), ...change }).success).toBe(false);
  });
});

describe('parsePlatform', () => {
  it.each([
    ['a key of the file', `${yaml}stor: {}\n`, 'unknown key "stor"; allowed are apiVersion, platform, cluster,'],
    [
      'a key of a release',
      `${yaml}    teir: 1\n`,
      'unknown key "teir"; allowed are release, chart, tier, objectives, allowDowntime, requires',
    ],
    [
      'a key of the cluster',
      yaml.replace('name: east', 'name: east, contxt: x'),
      'unknown key "contxt"; allowed are name, context, kubeconfig',
    ],
  ])('names what is allowed in place of %s', (_what, text, message) => {
    expect(() => parsePlatform(text, '/etc/lifeboat.yaml')).toThrow(
      expect.objectContaining({ code: 'ConfigInvalid', message: expect.stringContaining(message) as string }),
    );
  });

  it('names the file that is no YAML', () => {
    expect(() => parsePlatform('a: [', '/etc/lifeboat.yaml')).toThrow(
      expect.objectContaining({
        code: 'ConfigInvalid',
        message: expect.stringContaining('/etc/lifeboat.yaml') as string,
      }),
    );
  });
});

describe('platformReleases', () => {
  it('gives each release the cluster of the file', () => {
    expect(platformReleases(Platform.parse(document()))).toEqual([{ cluster: 'east', namespace: 'shop', name: 'db' }]);
  });
});
