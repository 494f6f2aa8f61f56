import { describe, expect, it } from 'vitest';
import { findRelease, ReleaseName, releasePath, releaseTitle } from '../../model/release-name.ts';

const db = { cluster: 'east', namespace: 'shop', name: 'db' };
const cache = { cluster: 'east', namespace: 'shop', name: 'cache' };
const otherCache = { cluster: 'east', namespace: 'blog', name: 'cache' };
const all = [db, cache, otherCache];

describe('ReleaseName', () => {
  it.each(['', 'Shop', '-shop', 'shop-', 'a/b', '..', 'a_b'])('refuses the name "%s"', (name) => {
    expect(ReleaseName.safeParse({ ...db, name }).success).toBe(false);
  });
});

describe('releasePath and releaseTitle', () => {
  it('write a release with and without its cluster', () => {
    expect([releasePath(db), releaseTitle(db)]).toEqual(['east/shop/db', 'shop/db']);
  });
});

describe('findRelease', () => {
  it.each(['db', 'shop/db', 'east/shop/db'])('finds one by %s', (text) => {
    expect(findRelease(text, all)).toEqual(db);
  });

  it('lists those that a name may mean', () => {
    expect(findRelease('cache', all)).toBe('cache names more than one release: shop/cache, blog/cache');
    expect(findRelease('blog/cache', all)).toEqual(otherCache);
  });

  it.each(['bd', 'west/shop/db', 'x/east/shop/db', '', '/db', 'shop/'])('lists what there is for "%s"', (text) => {
    expect(findRelease(text, all)).toBe(`unknown release ${text}: lifeboat.yaml has shop/db, shop/cache, blog/cache`);
  });
});
