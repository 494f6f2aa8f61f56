import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LifeboatFailure } from '../../model/failures.ts';
import { filesystemFailure } from '../../transfer/filesystem-failure.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { bytesOf, testFolder } from './test-sources.ts';

// what every store does is in test/conformance/store.test.ts
describe('filesystemStore', () => {
  it('never makes its directory: it could be a disk that is not mounted', async () => {
    const folder = join(testFolder(), 'disk');
    mkdirSync(folder);
    const store = filesystemStore(folder);
    await store.put('a/b', Buffer.from('x'));
    rmSync(folder, { recursive: true });
    const missing = { code: 'StoreNotFound' };
    await expect(store.put('a/b', Buffer.from('x'))).rejects.toMatchObject(missing);
    await expect(store.put('a/b', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject(missing);
    await expect(store.openWriter('a/b').write(Buffer.from('x'))).rejects.toMatchObject(missing);
    await expect(store.get('a/b')).rejects.toMatchObject(missing);
    await expect(bytesOf(store.read('a/b'))).rejects.toMatchObject(missing);
    await expect(store.head('a/b')).rejects.toMatchObject(missing);
    await expect(store.delete('a/b')).rejects.toMatchObject(missing);
    await expect(bytesOf(store.list('') as never)).rejects.toMatchObject(missing);
  });

  it('notices a disk that goes away while an object is written', async () => {
    const folder = join(testFolder(), 'disk');
    mkdirSync(folder);
    const store = filesystemStore(folder);
    const writer = store.openWriter('a/b');
    await writer.write(Buffer.from('x'));
    renameSync(folder, `${folder}-away`);
    mkdirSync(folder);
    await expect(writer.commit()).rejects.toThrow();
    expect(readdirSync(folder, { recursive: true })).not.toContain('a/b');
  });

  it('stores an object under the path that is its key, and leaves files of others alone', async () => {
    const folder = testFolder();
    const store = filesystemStore(`${folder}/`);
    await store.put('manifests/prod/x%20y.json', Buffer.from('x'));
    writeFileSync(join(folder, '.hidden'), 'x');
    symlinkSync('/etc', join(folder, 'link'));
    expect(store.address).toBe(`file://${folder}`);
    expect(readdirSync(join(folder, 'manifests/prod'))).toEqual(['x%20y.json']);
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    expect(keys).toEqual(['manifests/prod/x%20y.json']);
    await store.delete('manifests/prod/x%20y.json');
    expect(readdirSync(folder).sort()).toEqual(['.hidden', '.uploads', 'link']);
  });

  it.each([
    ['ENOSPC', 'StoreFull'],
    ['EDQUOT', 'StoreFull'],
    ['EACCES', 'StoreDenied'],
    ['EROFS', 'StoreDenied'],
    ['ESTALE', 'StoreUnreachable'],
    ['EIO', 'StoreUnreachable'],
    ['EOPNOTSUPP', 'StoreNotConditional'],
  ])('makes %s a %s', (code, expected) => {
    const meaning = filesystemFailure(Object.assign(new Error(code), { code }), 'write a/b');
    expect(meaning).toBeInstanceOf(LifeboatFailure);
    expect(meaning).toMatchObject({ code: expected, message: `write a/b: ${code}` });
  });

  it('leaves a defect as it is', () => {
    const defect = new TypeError('a bug');
    expect(filesystemFailure(defect, 'write a/b')).toBe(defect);
  });
});
