import { LifeboatFailure } from '../model/failures.ts';
import { openSigned } from './keys.ts';
import type { Store } from './store.ts';

/** What is used of a zod schema: this folder imports none of the libraries of model/. */
type DocumentSchema<Document> = { safeParse(value: unknown): { data?: Document | undefined } };

const readsAtOnce = 16;

/** A signed document, or undefined where no trusted key signed it or it is of another kind. */
export function openDocument<Document>(
  bytes: Buffer,
  of: { trustedKeys: readonly string[]; key: string; schema: DocumentSchema<Document> },
): Document | undefined {
  try {
    return of.schema.safeParse(openSigned(JSON.parse(bytes.toString('utf8')), of.trustedKeys, of.key)).data;
  } catch (error) {
    if (error instanceof LifeboatFailure || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Every document under a prefix, in the order of their keys; one that went meanwhile is left out. @param wanted - keys that are
 * read; default: all @throws Store*
 */
export async function readDocuments<Document>(of: {
  store: Store;
  trustedKeys: readonly string[];
  prefix: string;
  schema: DocumentSchema<Document>;
  wanted?: (key: string) => boolean;
}): Promise<{ key: string; document: Document | undefined }[]> {
  const keys: string[] = [];
  for await (const { key } of of.store.list(of.prefix)) if (of.wanted?.(key) !== false) keys.push(key);
  const read: { key: string; document: Document | undefined }[] = [];
  for (let at = 0; at < keys.length; at += readsAtOnce) {
    const next = await Promise.all(
      keys.slice(at, at + readsAtOnce).map(async (key) => {
        const bytes = await of.store.get(key).catch((error: unknown) => {
          if (error instanceof LifeboatFailure && error.code === 'ObjectNotFound') return undefined;
          throw error;
        });
        return bytes === undefined ? [] : [{ key, document: openDocument(bytes, { ...of, key }) }];
      }),
    );
    read.push(...next.flat());
  }
  return read;
}
