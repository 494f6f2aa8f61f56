import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import {
  canonicalBytes,
  createRecoveryKit,
  factsDigest,
  formatRecoveryKit,
  keyFingerprint,
  openSigned,
  parseRecoveryKit,
  signDocument,
} from '../../transfer/keys.ts';

const store = { url: 'file:///backups', region: 'us-east-1' };
let kit: RecoveryKit;
let other: RecoveryKit;

beforeAll(async () => {
  kit = (await createRecoveryKit({ platform: 'shop', store })).kit;
  other = (await createRecoveryKit({ platform: 'shop', store })).kit;
});

describe('createRecoveryKit', () => {
  it('makes two recipients, and gives the escrow identity apart from the kit', async () => {
    const { kit: made, escrowIdentity } = await createRecoveryKit({ platform: 'shop', store });
    expect(made.recipients).toHaveLength(2);
    expect(made).toMatchObject({ apiVersion: 'lifeboat/v1', kind: 'RecoveryKit', platform: 'shop', store });
    expect(Math.abs(Date.parse(made.createdAt) - Date.now())).toBeLessThan(60_000);
    expect(await parseRecoveryKit(formatRecoveryKit(made))).toEqual(made);
    expect(formatRecoveryKit(made)).toMatch(/^\{\n {2}"apiVersion"[^]*\}\n$/);
    expect(escrowIdentity).toMatch(/^AGE-SECRET-KEY-1/);
    expect(formatRecoveryKit(made)).not.toContain(escrowIdentity);
  });

  it('takes an escrow recipient that is given, and no nonsense', async () => {
    const { kit: made, escrowIdentity } = await createRecoveryKit({
      platform: 'shop',
      store,
      escrowRecipient: other.recipients[0],
    });
    expect(made.recipients[1]).toBe(other.recipients[0]);
    expect(escrowIdentity).toBeUndefined();
    for (const escrowRecipient of ['', 'age1', `x${other.recipients[0] ?? ''}`, `${other.recipients[0] ?? ''} x`])
      await expect(createRecoveryKit({ platform: 'shop', store, escrowRecipient })).rejects.toMatchObject({
        code: 'RecipientInvalid',
        message: `make recovery kit: ${escrowRecipient} is not an age recipient`,
      });
    const now = new Date('2026-11-28T12:00:00.000Z');
    expect((await createRecoveryKit({ platform: 'shop', store, now })).kit.createdAt).toBe(now.toISOString());
  });
});

describe('parseRecoveryKit', () => {
  it('reads what was written', async () => {
    expect(await parseRecoveryKit(formatRecoveryKit(kit))).toEqual(kit);
  });

  it.each([
    ['text', () => 'not a kit', 'not JSON'],
    ['something else', () => '{"kind":"Other"}', 'wrong or missing'],
    ['a kit with an unknown key', () => JSON.stringify({ ...kit, extra: 1 }), 'wrong or missing'],
    ['a foreign identity', () => JSON.stringify({ ...kit, identity: other.identity }), 'none of its recipients'],
    [
      'a broken identity',
      () => JSON.stringify({ ...kit, identity: `${kit.identity.slice(0, -1)}1` }),
      'none of its recipients',
    ],
    [
      'halves of two signing keys',
      () => JSON.stringify({ ...kit, signing: { ...kit.signing, publicKey: other.signing.publicKey } }),
      'do not belong together',
    ],
    [
      'a broken signing key',
      () => JSON.stringify({ ...kit, signing: { ...kit.signing, privateKey: 'x' } }),
      'cannot be read',
    ],
  ])('refuses %s, and tells nothing of the secrets', async (_, text, why) => {
    const error: unknown = await parseRecoveryKit(text()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KeyInvalid', message: expect.stringContaining(why) as string });
    expect(String(error)).not.toMatch(/AGE-SECRET|PRIVATE/);
  });
});

describe('openSigned', () => {
  const document = { b: [1, 'ä', null], a: { z: true } };

  it('gives the document of a trusted signer', () => {
    const signed: unknown = JSON.parse(canonicalBytes(signDocument(kit, document)).toString());
    expect(openSigned(signed, [other.signing.publicKey, kit.signing.publicKey], 'x')).toEqual(document);
  });

  it('refuses what was changed, an unknown signer by its fingerprint, and what is not signed', () => {
    const signed = signDocument(kit, document);
    const trusted = [kit.signing.publicKey];
    const code = (of: unknown, keys = trusted): unknown => {
      try {
        return openSigned(of, keys, 'points/x');
      } catch (error) {
        return error;
      }
    };
    expect(code({ ...signed, document: { ...document, b: [] } })).toMatchObject({
      code: 'SignatureInvalid',
      subject: 'points/x',
    });
    expect(code({ ...signed, signature: 'AAAA' })).toMatchObject({ code: 'SignatureInvalid' });
    expect(code({ ...signed, publicKey: other.signing.publicKey })).toMatchObject({ code: 'SignatureInvalid' });
    expect(code({ ...signed, publicKey: 'nonsense' })).toMatchObject({ code: 'SignatureInvalid' });
    expect(code(signDocument(other, document))).toMatchObject({
      code: 'SignerUnknown',
      message: expect.stringContaining(keyFingerprint(other.signing.publicKey)) as string,
    });
    expect(code(document)).toMatchObject({ code: 'ManifestInvalid' });
    expect(code(null)).toMatchObject({ code: 'ManifestInvalid' });
  });
});

describe('factsDigest', () => {
  it('depends on the facts, not on their order, and on the key', () => {
    expect(factsDigest(kit, { a: 1, b: 'x' })).toBe(factsDigest(kit, { b: 'x', a: 1 }));
    expect(factsDigest(kit, { a: 1 })).not.toBe(factsDigest(kit, { a: 2 }));
    expect(factsDigest(kit, { a: 1 })).not.toBe(factsDigest(other, { a: 1 }));
  });
});

describe('openSigned, by keys of another kind', () => {
  it('counts no signature that is not ed25519, though it fits and its key is trusted', () => {
    const pair = generateKeyPairSync('ed448');
    const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const signed = signDocument({ signing: { privateKey, publicKey } }, { a: 1 });
    expect(() => openSigned(signed, [publicKey], 'x')).toThrow(
      expect.objectContaining({ code: 'SignatureInvalid', message: 'open x: the signature does not fit' }),
    );
  });

  it('trusts nobody where nobody is named', () => {
    expect(() => openSigned(signDocument(kit, {}), [], 'x')).toThrow(
      expect.objectContaining({ code: 'SignerUnknown', subject: 'x' }),
    );
  });
});

describe('canonicalBytes', () => {
  it('orders the keys, and has nothing for what is not JSON', () => {
    expect(canonicalBytes({ b: 1, a: [true, null] }).toString()).toBe('{"a":[true,null],"b":1}');
    expect(() => canonicalBytes(undefined)).toThrow('only JSON has a canonical form');
  });
});

describe('keys that were made before', () => {
  const seed = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const signing = {
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
  };

  it('give the same fingerprint and the same digest of facts for ever', () => {
    expect(keyFingerprint(signing.publicKey)).toBe('SHA256:oFCDfYUHBYLM9zlLCYiEfMMSy4glm4lImfbyOc8XkaU');
    expect(factsDigest({ signing }, { 'db/app/table/orders/rows': 120, name: 'ä' })).toBe(
      '927b6343036aba5b521727471e50bb8b8dbe1b80395ed6e36e0ee27b38a80f36',
    );
  });
});
