import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renameSchemas, withoutSandboxMode } from '../../../activities/facts/mysql-dump-text.ts';

const dump = `/*M!999999\\- enable the sandbox mode */ 
-- Current Database: \`shop\`

CREATE DATABASE /*!32312 IF NOT EXISTS*/ \`shop\` /*!40100 DEFAULT CHARACTER SET latin1 */;

USE \`shop\`;
CREATE TABLE \`child\` (
  \`p\` int(11),
  CONSTRAINT \`cx\` FOREIGN KEY (\`p\`) REFERENCES \`b\`\`1\`.\`parent\` (\`id\`),
  CONSTRAINT \`own\` FOREIGN KEY (\`p\`) REFERENCES \`child\` (\`p\`),
  CONSTRAINT \`away\` FOREIGN KEY (\`p\`) REFERENCES \`elsewhere\`.\`x\` (\`id\`)
);
INSERT INTO \`child\` VALUES
('USE \`shop\`;'),
('CREATE DATABASE \`shop\`');
USE \`b\`\`1\`;
`;

async function renamed(text: string, sizes: readonly number[], names: Record<string, string>): Promise<string> {
  const bytes = Buffer.from(text);
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.byteLength; index += 1) {
    const size = sizes[index] ?? bytes.byteLength;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  const out: Uint8Array[] = [];
  for await (const chunk of renameSchemas(
    (async function* () {
      for (const each of chunks) yield await Promise.resolve(each);
    })(),
    (name) => names[name],
  ))
    out.push(Buffer.from(chunk));
  return Buffer.concat(out).toString();
}

const names = { shop: 'scratch_0', 'b`1': 'scratch_1' };
const expected = dump
  .replace(/^\/\*M.*\n/, '\n')
  .replace('*/ `shop` /*', '*/ `scratch_0` /*')
  .replace('\nUSE `shop`', '\nUSE `scratch_0`')
  .replace('REFERENCES `b``1`.', 'REFERENCES `scratch_1`.')
  .replace('\nUSE `b``1`', '\nUSE `scratch_1`');

describe('renameSchemas', () => {
  it('renames where a schema is filled or led to, and nothing in the data', async () => {
    expect(await renamed(dump, [], names)).toBe(expected);
  });

  it('does so whatever the chunks are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }), async (sizes) => {
        expect(await renamed(dump, sizes, names)).toBe(expected);
      }),
    );
  });

  it('passes long lines without keeping them', async () => {
    const long = `INSERT INTO t VALUES ('${'x'.repeat(300_000)}');\nUSE \`shop\`;\n`;

    expect(await renamed(long, [100_000, 100_000], names)).toBe(long.replace('USE `shop`', 'USE `scratch_0`'));
  });

  it('refuses a dump that fills a schema which was not captured', async () => {
    await expect(renamed('USE `mysql`;\n', [], names)).rejects.toMatchObject({ code: 'RestoreFailed' });
  });
});

describe('withoutSandboxMode', () => {
  it('drops the mark of the first line and nothing else', () => {
    expect(withoutSandboxMode(dump)).toBe(dump.slice(dump.indexOf('\n') + 1));
    expect(withoutSandboxMode('SELECT 1;\n')).toBe('SELECT 1;\n');
  });
});
