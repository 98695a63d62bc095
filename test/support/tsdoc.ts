/** Finds exported symbols without documentation. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

function isExported(node: ts.Node): boolean {
  return ts.canHaveModifiers(node)
    ? (ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword) ?? false)
    : false;
}

function nameOf(node: ts.Statement): string {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.map((d) => d.name.getText()).join(', ');
  }
  const { name } = node as ts.Statement & { name?: ts.Node };
  return name?.getText() ?? 'default';
}

/** Names of the exported declarations of `file` that have no TSDoc comment with words in it. */
export function undocumented(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const documented = new Set<string>();
  const missing: string[] = [];
  for (const node of source.statements) {
    if (!isExported(node)) continue;
    const docs = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
    const said = docs.some((d) => d.getText().replace(/[/*\s]/g, '') !== '');
    // The comment of the first overload speaks for the others.
    if (said) documented.add(nameOf(node));
    else if (!documented.has(nameOf(node))) missing.push(nameOf(node));
  }
  return missing;
}
