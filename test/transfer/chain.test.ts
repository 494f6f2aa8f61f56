import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { failure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import {
  type ChainEntry,
  type ChainKind,
  checkChain,
  linkKey,
  listSequences,
  readLink,
  readLinks,
  sha256Of,
} from '../../transfer/chain.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
import type { Store } from '../../transfer/store.ts';
import { memoryStore } from '../models/memory-store.ts';
import { testKit } from './test-points.ts';

const Link = z.strictObject({
  id: z.string(),
  sequence: z.number(),
  previous: z.strictObject({ id: z.string(), sequence: z.number(), sha256: z.string() }).nullable(),
  of: z.string().default('this chain'),
  formatVersion: z.unknown().optional(),
});
type Link = z.infer<typeof Link>;

const kind: ChainKind<Link> = {
  folder: 'links',
  noun: 'link',
  schema: Link,
  belongs: (link) => link.of === 'this chain',
};

let kit: RecoveryKit;
let store: Store;
let got: string[];

beforeAll(async () => {
  kit = await testKit();
});

beforeEach(() => {
  got = [];
  store = memoryStore({
    objects: new Map(),
    now: () => new Date(),
    before: (call, key) => {
      if (call === 'get') got.push(key);
      return Promise.resolve();
    },
  });
});

/** Stores a link and gives what the next one says of it. */
async function put(sequence: number, previous: Link['previous'], more: object = {}): Promise<Link['previous']> {
  const link = { id: `link-${String(sequence)}`, sequence, previous, ...more };
  const bytes = canonicalBytes(signDocument(kit, link));
  await store.put(linkKey('links', sequence), bytes);
  return { id: link.id, sequence, sha256: sha256Of(bytes) };
}

/** Stores so many links, each with the one before it. */
async function putChain(count: number): Promise<NonNullable<Link['previous']>[]> {
  const heads: NonNullable<Link['previous']>[] = [];
  for (let sequence = 1; sequence <= count; sequence += 1) {
    const head = await put(sequence, heads.at(-1) ?? null);
    if (head !== null) heads.push(head);
  }
  return heads;
}

const trusted = () => ({ store, trustedKeys: [kit.signing.publicKey] });
const links = (known?: ReadonlyMap<number, string>) => readLinks(trusted(), kind, known);
const link = (sequence: number) => readLink(trusted(), kind, sequence);
const said = (entries: readonly ChainEntry<Link>[]) => entries.map((entry) => entry.failure?.message);

describe('readLinks', () => {
  it('reads any number of links, newest first, and reads each once', async () => {
    for (const count of [0, 1, 15, 16, 17, 33]) {
      got = [];
      await putChain(count);
      const entries = await links();
      expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: count }, (_, at) => count - at));
      expect(entries.every((entry) => entry.failure === undefined && entry.document?.sequence === entry.sequence)).toBe(
        true,
      );
      expect(got).toHaveLength(count);
    }
  });

  it('leaves out what is known, unread, and compares what follows with it', async () => {
    const heads = await putChain(4);
    got = [];
    const entries = await links(
      new Map([
        [1, heads[0]?.sha256 ?? ''],
        [2, heads[1]?.sha256 ?? ''],
      ]),
    );
    expect(got).toEqual([linkKey('links', 3), linkKey('links', 4)]);
    expect(entries.map((entry) => [entry.sequence, entry.failure])).toEqual([
      [4, undefined],
      [3, undefined],
    ]);
    const [, third] = await links(new Map([[2, 'of another link']]));
    expect(third?.failure).toMatchObject({ code: 'ChainBroken' });
  });

  it('names a gap once, at the link that is missing, and reads on behind it', async () => {
    await putChain(4);
    await store.delete(linkKey('links', 1));
    await store.delete(linkKey('links', 3));
    const entries = await links();
    expect(entries.map((entry) => [entry.sequence, entry.sha256 === '', entry.document === undefined])).toEqual([
      [4, false, false],
      [3, true, true],
      [2, false, false],
      [1, true, true],
    ]);
    expect(said(entries)).toEqual([
      undefined,
      'read link links/0000000003.json: it is missing from its chain',
      undefined,
      'read link links/0000000001.json: it is missing from its chain',
    ]);
    expect(entries[1]?.failure).toMatchObject({ code: 'ChainBroken', subject: 'links/0000000003.json' });
  });

  it('compares the number, the content and the absence of what stood before', async () => {
    const first = await put(1, { id: 'link-0', sequence: 0, sha256: 'a' });
    await put(2, null);
    await put(3, first);
    const third = await link(3);
    await put(4, { id: 'link-3', sequence: 3, sha256: 'another content' });
    await put(5, { id: 'link-4', sequence: 3, sha256: (await link(4)).sha256 });
    const entries = await links();
    expect(said(entries)).toEqual([
      'read link links/0000000005.json: it says that number 3 with another content stood before it',
      'read link links/0000000004.json: it says that number 3 with another content stood before it',
      'read link links/0000000003.json: it says that number 1 with another content stood before it',
      'read link links/0000000002.json: it says that nothing stood before it',
      'read link links/0000000001.json: it says that number 0 with another content stood before it',
    ]);
    expect(entries.map((entry) => entry.failure?.subject)).toEqual([5, 4, 3, 2, 1].map((at) => linkKey('links', at)));
    expect(entries[2]).toMatchObject({ document: third.document, sha256: third.sha256 });
  });

  it('counts no other object of the folder', async () => {
    await putChain(2);
    for (const name of [
      '00000000003.json',
      '000000003.json',
      '0000000003.json.tmp',
      'x0000000003.json',
      'deep/0000000003.json',
    ])
      await store.put(`links/${name}`, Buffer.from('x'));
    for (const folder of ['links-2', 'other']) await store.put(`${folder}/0000000009.json`, Buffer.from('x'));
    expect(await listSequences(store, 'links')).toEqual([1, 2]);
    expect(await links()).toHaveLength(2);
  });
});

describe('readLink', () => {
  it.each([
    ['no JSON', Buffer.from('{'), 'ManifestInvalid', /: it is not JSON$/],
    ['nothing signed', Buffer.from('{}'), 'ManifestInvalid', /not a signed document/],
  ])('says of %s what it is', async (_, bytes, code, message) => {
    await store.put(linkKey('links', 1), bytes);
    expect(await link(1)).toMatchObject({
      sequence: 1,
      sha256: sha256Of(bytes),
      document: undefined,
      failure: { code, subject: 'links/0000000001.json', message: expect.stringMatching(message) as string },
    });
  });

  it('refuses another chain, another number, and what is wrong or missing, by three fields', async () => {
    await put(1, null, { of: 'another chain' });
    expect((await link(1)).failure?.message).toBe('read link links/0000000001.json: it is of another chain');
    await put(1, null, { sequence: 2 });
    expect((await link(1)).failure).toMatchObject({ code: 'ManifestInvalid' });
    await put(1, null, { id: 1, sequence: 'x', previous: 1, of: 1 });
    expect((await link(1)).failure?.message).toBe(
      'read link links/0000000001.json: wrong or missing: id, sequence, previous',
    );
    await store.put(linkKey('links', 1), canonicalBytes(signDocument(kit, null)));
    expect((await link(1)).failure).toMatchObject({
      code: 'ManifestInvalid',
      message: expect.stringMatching(/wrong or missing: Invalid input/) as string,
    });
  });

  it('knows a newer format from one of its own', async () => {
    await put(1, null, { formatVersion: 1 });
    expect((await link(1)).failure).toBeUndefined();
    for (const formatVersion of ['two', '2', null]) {
      await put(1, null, { formatVersion });
      expect((await link(1)).failure).toBeUndefined();
    }
    await put(1, null, { formatVersion: 2 });
    expect((await link(1)).failure).toMatchObject({
      code: 'ManifestNewer',
      message: 'read link links/0000000001.json: its format 2 is newer than 1',
      subject: 'links/0000000001.json',
    });
  });

  it('takes no other failure for a link that is missing, and no defect for a damaged one', async () => {
    await put(1, null);
    for (const error of [failure('StoreDenied', { message: 'get: denied' }), new Error('a defect')]) {
      const broken: Store = { ...store, get: () => Promise.reject(error) };
      await expect(readLink({ ...trusted(), store: broken }, kind, 1)).rejects.toBe(error);
    }
    const defect = (): never => {
      throw new TypeError('a defect');
    };
    await expect(readLink(trusted(), { ...kind, belongs: defect }, 1)).rejects.toThrow('a defect');
  });
});

describe('checkChain', () => {
  it('tells what is wrong, oldest first', async () => {
    await putChain(3);
    await store.delete(linkKey('links', 2));
    await store.put(linkKey('links', 1), Buffer.from('{'));
    expect(checkChain(await links()).map(({ code }) => code)).toEqual(['ManifestInvalid', 'ChainBroken']);
  });

  it('compares with the head that is known', async () => {
    const heads = await putChain(3);
    const known = (at: number) => ({ sequence: at, sha256: heads[at - 1]?.sha256 ?? 'none' });
    for (const at of [1, 2, 3]) expect(checkChain(await links(), known(at))).toEqual([]);
    expect(checkChain(await links(), known(4)).map(({ message }) => message)).toEqual([
      'check chain: number 4 is known and is not there, its newest link is number 3',
    ]);
    expect(checkChain([], known(1)).map(({ message }) => message)).toEqual([
      'check chain: number 1 is known and is not there, it is empty',
    ]);
    expect(checkChain(await links(), { sequence: 2, sha256: 'other' })).toMatchObject([
      {
        code: 'ChainBroken',
        message: 'check chain: number 2 is not the one that is known',
        subject: linkKey('links', 2),
      },
    ]);
  });

  it('tells of a known head beside what else is wrong', async () => {
    const [, second] = await putChain(3);
    await store.delete(linkKey('links', 2));
    const problems = checkChain(await links(), { sequence: 2, sha256: second?.sha256 ?? '' });
    expect(problems.map(({ message }) => message)).toEqual([
      'read link links/0000000002.json: it is missing from its chain',
      'check chain: number 2 is known and is not there, its newest link is number 3',
    ]);
    expect(checkChain(await links(), { sequence: 1, sha256: 'other' })).toHaveLength(2);
  });
});
