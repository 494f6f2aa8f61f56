import { describe, expect, it } from 'vitest';
import { kubectlMisfit } from '../../activities/clients/kubectl-version.ts';
import { chooseKubectl } from '../../workers/choose-kubectl.ts';

const old = { path: '/usr/bin/kubectl', version: '1.31.2', fits: false };
const pinned = { path: '/usr/local/bin/kubectl', version: '1.34.5', fits: true };

async function chosen(of: {
  onPath: readonly (typeof old)[];
  usual?: string | undefined;
  server: string | undefined;
}): Promise<{ path: string | undefined; asked: number }> {
  let asked = 0;
  const path = await chooseKubectl({
    onPath: of.onPath,
    usual: () => Promise.resolve('usual' in of ? of.usual : '/cache/kubectl'),
    server: () => {
      asked += 1;
      return Promise.resolve(of.server);
    },
  });
  return { path, asked };
}

describe('chooseKubectl', () => {
  it('takes the one on PATH that is near the server, whatever the pinned one is', async () => {
    expect((await chosen({ onPath: [old], server: '1.31.9-eks-1234' })).path).toBe(old.path);
    expect((await chosen({ onPath: [pinned, old], server: '1.30.0' })).path).toBe(old.path);
    expect((await chosen({ onPath: [old, pinned], server: '1.34.1' })).path).toBe(pinned.path);
  });

  it('takes the usual one where none on PATH is near the server, or it does not answer', async () => {
    expect((await chosen({ onPath: [old], server: '1.34.1' })).path).toBe('/cache/kubectl');
    expect((await chosen({ onPath: [old], server: undefined })).path).toBe('/cache/kubectl');
  });

  it('takes one that is far where there is no other: who uses it is told so', async () => {
    expect((await chosen({ onPath: [old], usual: undefined, server: '1.34.1' })).path).toBe(old.path);
    expect((await chosen({ onPath: [], usual: undefined, server: '1.34.1' })).path).toBeUndefined();
  });

  it('asks no server where PATH has none but what would be taken anyway', async () => {
    expect(await chosen({ onPath: [pinned], server: '1.31.0' })).toEqual({ path: '/cache/kubectl', asked: 0 });
    expect(await chosen({ onPath: [], server: '1.31.0' })).toEqual({ path: '/cache/kubectl', asked: 0 });
  });
});

describe('kubectlMisfit', () => {
  it('says which versions fit', () => {
    expect(kubectlMisfit('1.34.5', '1.35.0')).toBeUndefined();
    expect(kubectlMisfit('1.34.5', '1.33.0+k3s1')).toBeUndefined();
    expect(kubectlMisfit('1.34.5', '1.31.9-eks-1234')).toMatch(
      /^version 1\.34\.5 is more than one minor version from the server's 1\.31\.9-eks-1234: put one from 1\.30 to 1\.32 on PATH/,
    );
  });
});
