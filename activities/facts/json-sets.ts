import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import { pathSegment } from './path-segment.ts';

/** Keys that tell of the exporter and of the moment, not of the data. */
const ofTheExporter = /^(rabbit(mq)?_(version|definition_format)|product_.*|original_.*|explanation)$/;

/** Fields that name an item, in the order in which they make its path. */
const naming = [
  'vhost',
  'name',
  'user',
  'component',
  'pattern',
  'source',
  'destination_type',
  'destination',
  'routing_key',
  'id',
] as const;

/**
 * Facts from a JSON object whose keys hold lists: each list is a set, whatever its order. An item is found again by the
 * fields that name it, and its digest is its fact; items that share a name, or have none, are found by their digest.
 */
export function jsonSetFacts(text: string): Facts {
  const facts: Facts = {};
  for (const [key, value] of Object.entries(parseObject(text))) {
    if (ofTheExporter.test(key)) continue;
    if (Array.isArray(value)) Object.assign(facts, setFacts(key, value));
    else facts[pathSegment(key)] = digest(value);
  }
  return facts;
}

function setFacts(key: string, items: readonly unknown[]): Facts {
  const byName = new Map<string, Set<string>>();
  for (const item of items) {
    const name = itemName(item);
    byName.set(name, (byName.get(name) ?? new Set()).add(digest(item)));
  }
  const facts: Facts = {
    [`${pathSegment(key)}/count`]: [...byName.values()].reduce((sum, digests) => sum + digests.size, 0),
  };
  for (const [name, digests] of byName) {
    for (const found of digests)
      facts[`${pathSegment(key)}/item/${digests.size === 1 && name !== '' ? name : `${name}#${found.slice(0, 12)}`}`] =
        found;
  }
  return facts;
}

function itemName(item: unknown): string {
  if (typeof item !== 'object' || item === null) return '';
  const fields = item as Readonly<Record<string, unknown>>;
  return naming.flatMap((field) => (typeof fields[field] === 'string' ? [pathSegment(fields[field])] : [])).join('/');
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw failure('DumpEndedEarly', { message: 'read facts: the command did not write one JSON object' });
}

function digest(value: unknown): string {
  return createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex')
    .slice(0, 32);
}
