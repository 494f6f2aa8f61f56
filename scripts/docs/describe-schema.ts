import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** A key of a schema as its source has it: the comment before it and the zod expression. */
export type DescribedKey = { readonly key: string; readonly comment: string; readonly type: string };

/** A schema (`export const Name = z.strictObject({ … })`) of a source file. */
export type DescribedSchema = {
  readonly name: string;
  readonly comment: string;
  readonly keys: readonly DescribedKey[];
};

/** Reads the strict objects of a model file with the comments of their keys, in the order of the file. */
export function describeSchemas(path: string): DescribedSchema[] {
  const text = readFileSync(path, 'utf8');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const schemas: DescribedSchema[] = [];
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const declaration of statement.declarationList.declarations) {
      if (declaration.initializer === undefined) continue;
      const objects = findObjects(declaration.initializer);
      for (const [index, object] of objects.entries()) {
        const name =
          declaration.name.getText(source) +
          (objects.length > 1 ? ` (${String(index + 1)} of ${String(objects.length)})` : '');
        schemas.push({ name, comment: commentOf(statement, text), keys: keysOf(object, source, text) });
      }
    }
  }
  return schemas;
}

/** The object literals that are the first argument of a strictObject call, outermost first. */
function findObjects(node: ts.Node): ts.ObjectLiteralExpression[] {
  const found: ts.ObjectLiteralExpression[] = [];
  const visit = (each: ts.Node): void => {
    if (ts.isCallExpression(each) && each.expression.getText().endsWith('strictObject')) {
      const [argument] = each.arguments;
      if (argument !== undefined && ts.isObjectLiteralExpression(argument)) {
        found.push(argument);
        return;
      }
    }
    ts.forEachChild(each, visit);
  };
  visit(node);
  return found;
}

function keysOf(object: ts.ObjectLiteralExpression, source: ts.SourceFile, text: string): DescribedKey[] {
  return object.properties.flatMap((property) => {
    if (!ts.isPropertyAssignment(property))
      return [{ key: property.name?.getText(source) ?? '', comment: commentOf(property, text), type: '' }];
    return [
      {
        key: property.name.getText(source),
        comment: commentOf(property, text),
        type: readable(property.initializer.getText(source)),
      },
    ];
  });
}

function commentOf(node: ts.Node, text: string): string {
  const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
  return ranges
    .filter((range) => text.slice(range.pos, range.pos + 3) === '/**')
    .map((range) =>
      text
        .slice(range.pos, range.end)
        .replace(/^\/\*\*|\*\/$/g, '')
        .replace(/^\s*\* ?/gm, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .join(' ');
}

/** The zod expression in words that a reader of YAML knows. */
function readable(expression: string): string {
  return expression
    .replace(/\s+/g, ' ')
    .replace(/z\.strictObject\(.*/, 'object')
    .replace(/z\.(union|discriminatedUnion)\(\[(.*?)\]\)/, '$2')
    .replace(/z\.literal\(([^)]*)\)/g, '$1')
    .replace(/z\.enum\(\[([^\]]*)\]\)/g, '$1')
    .replace(/z\.record\([^)]*\)/g, 'map')
    .replace(/z\.array\(([^()]*(?:\([^()]*\))*[^()]*)\)/g, 'list of $1')
    .replace(/z\.(string|number|boolean|unknown|url)\(\)/g, '$1')
    .replace(/\.(min|max|int|regex|startsWith|superRefine|prefault|check)\((?:[^()]|\([^()]*\))*\)/g, '')
    .replace(/\.optional\(\)/, ', optional')
    .replace(/\.default\(((?:[^()]|\([^()]*\))*)\)/, ', default $1')
    .replaceAll("'", '')
    .trim();
}
