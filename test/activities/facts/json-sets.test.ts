import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonSetFacts } from '../../../activities/facts/json-sets.ts';

const definitions = {
  rabbit_version: '3.10.8',
  product_name: 'RabbitMQ',
  users: [
    { name: 'orders', tags: [], password_hash: 'abc' },
    { name: 'audit', tags: ['monitoring'], password_hash: 'def' },
  ],
  bindings: [
    {
      source: 'events',
      vhost: 'shop',
      destination: 'orders',
      destination_type: 'queue',
      routing_key: 'order.#',
      arguments: {},
    },
    {
      source: 'events',
      vhost: 'shop',
      destination: 'orders',
      destination_type: 'queue',
      routing_key: 'order.#',
      arguments: { x: 1 },
    },
  ],
};

describe('jsonSetFacts', () => {
  it('finds an item by what names it, and tells what only the exporter says apart', () => {
    const facts = jsonSetFacts(JSON.stringify(definitions));

    expect(Object.keys(facts).sort()).toEqual([
      'bindings/count',
      expect.stringMatching(/^bindings\/item\/shop\/events\/queue\/orders\/order\.##[0-9a-f]{12}$/),
      expect.stringMatching(/^bindings\/item\/shop\/events\/queue\/orders\/order\.##[0-9a-f]{12}$/),
      'users/count',
      'users/item/audit',
      'users/item/orders',
    ]);
    expect(facts['users/count']).toBe(2);
  });

  it('is the same for any order of items and of keys, and another for another value', () => {
    const whole = jsonSetFacts(JSON.stringify(definitions));

    fc.assert(
      fc.property(fc.shuffledSubarray(definitions.users, { minLength: 2 }), (users) => {
        const turned = users.map((user) => Object.fromEntries(Object.entries(user).reverse()));
        expect(jsonSetFacts(JSON.stringify({ ...definitions, users: turned }))).toEqual(whole);
      }),
    );
    const changed = {
      ...definitions,
      users: [{ ...definitions.users[0], password_hash: 'xyz' }, definitions.users[1]],
    };
    expect(jsonSetFacts(JSON.stringify(changed))['users/item/orders']).not.toBe(whole['users/item/orders']);
  });

  it('refuses what is not one whole object', () => {
    for (const text of ['', '{"users": [', '[]', '"x"']) {
      expect(() => jsonSetFacts(text)).toThrow(expect.objectContaining({ code: 'DumpEndedEarly' }));
    }
  });
});
