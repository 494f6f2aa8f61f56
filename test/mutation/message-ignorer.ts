/** What is used of a path of Babel. */
type NodePath = {
  readonly node: {
    readonly type: string;
    readonly key?: { readonly name?: string };
    readonly id?: { readonly name?: string };
    readonly callee?: { readonly name?: string };
  };
  readonly key: string | number | null;
  readonly parentPath: NodePath | null;
};

const properties = new Set(['message', 'reason']);
const variables = new Set(['message', 'said', 'says', 'why', 'noticed', 'has']);
/** Functions that take a message, and the number of their first argument that is one. */
const functions = new Map([
  ['Error', 0],
  ['cut', 0],
  ['early', 0],
  ['invalid', 0],
  ['take', 1],
  ['skip', 1],
  ['skipPieces', 1],
  ['damage', 1],
  ['leftover', 1],
]);

/** Leaves alone texts that are messages, whose wording decides nothing; other texts are mutated: outcomes, codes, keys. */
const messages = {
  shouldIgnore(path: NodePath): string | undefined {
    if (path.node.type !== 'StringLiteral' && path.node.type !== 'TemplateLiteral') return undefined;
    for (let at: NodePath = path; at.parentPath !== null; at = at.parentPath) {
      const { type, key, id, callee } = at.parentPath.node;
      if (type === 'ObjectProperty' && at.key === 'value' && properties.has(key?.name ?? '')) return 'a message';
      if (type === 'VariableDeclarator' && variables.has(id?.name ?? '')) return 'a message';
      const first = functions.get(callee?.name ?? '');
      if (first !== undefined && typeof at.key === 'number' && at.key >= first) return 'a message';
      if (type.endsWith('Statement') || type === 'ArrowFunctionExpression') return undefined;
    }
    return undefined;
  },
};

export const strykerPlugins = [{ kind: 'Ignore', name: 'messages', value: messages }];
