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
    await expect(createRecoveryKit({ platform: 'shop', store, escrowRecipient: 'age1' })).rejects.toMatchObject({
      code: 'RecipientInvalid',
    });
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
