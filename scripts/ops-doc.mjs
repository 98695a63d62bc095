/** Writes docs/ops.md out of the sources: every operation, what it computes, its gradient, its ONNX form. */
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';

const FOLDERS = ['src/ops', 'src/autodiff'];

/** The comment before a declaration, as one line without tags. */
function docOf(node) {
  const doc = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc);
  return doc ? (ts.getTextOfJSDocComment(doc.comment) ?? '').replace(/\s+/g, ' ').trim() : '';
}

/** The first sentence; a full stop counts only before a capital letter or at the end. */
function sentence(text) {
  return text.match(/^.*?[.](?=\s+[A-Z`]|$)/s)?.[0] ?? text;
}

const cell = (text) => text.replaceAll('|', '\\|');
const isText = (node) => ts.isStringLiteralLike(node);
const isExported = (node) =>
  ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword) ?? false;

/** All nodes below `root`, itself included. */
function* walk(root) {
  yield root;
  const below = [];
  ts.forEachChild(root, (child) => {
    below.push(child);
  });
  for (const child of below) yield* walk(child);
}

/** Everything declared at the top of the files, by name. */
function declarationsOf(files) {
  const found = new Map();
  for (const { source } of files) {
    for (const node of source.statements) {
      if (ts.isFunctionDeclaration(node) && node.name) found.set(node.name.text, node);
      if (!ts.isVariableStatement(node)) continue;
      for (const d of node.declarationList.declarations) {
        if (d.initializer) found.set(d.name.getText(), d.initializer);
      }
    }
  }
  return found;
}

/** `node` and the functions that it calls, through helpers but not through other operations. */
function reach(node, declarations, enter, seen = new Set()) {
  if (seen.has(node)) return seen;
  seen.add(node);
  for (const inner of walk(node)) {
    if (!ts.isIdentifier(inner)) continue;
    const target = declarations.get(inner.text);
    if (target && enter(inner, target)) reach(target, declarations, enter, seen);
  }
  return seen;
}

/** The ONNX operators that an operation is written as, in the order in which they are named. */
function onnxForms(initializer, declarations) {
  const names = new Set();
  const rule = [...walk(initializer)].find(
    (n) => (ts.isPropertyAssignment(n) || ts.isMethodDeclaration(n)) && n.name.getText() === 'onnx',
  );
  // A helper such as unaryOp is handed the operator as a word that starts with a capital.
  if (!rule || (ts.isPropertyAssignment(rule) && isText(rule.initializer))) {
    for (const n of walk(initializer)) {
      if (isText(n) && /^[A-Z][a-z]\w*$/.test(n.text) && n.text !== 'NaN') names.add(n.text);
    }
    return [...names];
  }
  const takesEmitter = (_, target) =>
    ts.isFunctionLike(target) && target.parameters.some((p) => p.name.getText() === 'emit');
  for (const part of reach(rule, declarations, takesEmitter)) {
    for (const n of walk(part)) {
      if (!ts.isCallExpression(n) || !ts.isPropertyAccessExpression(n.expression)) continue;
      if (!['one', 'node'].includes(n.expression.name.text) || !n.arguments[0]) continue;
      for (const word of walk(n.arguments[0])) if (isText(word)) names.add(word.text);
    }
  }
  return [...names];
}

/** The text of a string, or of the constant that holds it; what a template fills in becomes "it". */
function textOf(node, declarations) {
  const value = ts.isIdentifier(node) ? (declarations.get(node.text) ?? node) : node;
  return value
    .getText()
    .slice(1, -1)
    .replace(/\$\{[^}]*\}/g, 'it');
}

/** Why there is no gradient, when `node` or a constant that it names says so; null otherwise. */
function withoutGradient(node, declarations) {
  for (const n of walk(node)) {
    const named = ts.isIdentifier(n) ? declarations.get(n.text) : undefined;
    const call = named && ts.isCallExpression(named) ? named : n;
    if (!ts.isCallExpression(call)) continue;
    const kind = call.expression.getText();
    if (kind !== 'zeroGrad' && kind !== 'noGrad') continue;
    const reason = textOf(call.arguments[0], declarations).replace(/[.]$/, '');
    return `${kind === 'zeroGrad' ? 'zero' : 'none'}: ${reason}`;
  }
  return null;
}

const gradField = (node) =>
  [...walk(node)].find((n) => ts.isPropertyAssignment(n) && n.name.getText() === 'grad')
    ?.initializer;

/** `yes`, or why there is no gradient. */
function gradientOf(initializer, declarations) {
  const rule = gradField(initializer);
  // A rule that is a function may name other operations; only a value can say that there is none.
  if (rule && ts.isFunctionLike(rule)) return 'yes';
  if (rule) return withoutGradient(rule, declarations) ?? 'yes';
  for (const argument of initializer.arguments) {
    const reason = ts.isFunctionLike(argument) ? null : withoutGradient(argument, declarations);
    if (reason) return reason;
  }
  const helper = declarations.get(initializer.expression.getText());
  const given = helper && gradField(helper);
  return (given && !ts.isFunctionLike(given) && withoutGradient(given, declarations)) || 'yes';
}

/** The Markdown text of docs/ops.md. */
export function opsDoc(root) {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, root))
      .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && f !== 'index.ts')
      .sort()
      .map((f) => {
        const text = readFileSync(new URL(`${folder}/${f}`, root), 'utf8');
        const source = ts.createSourceFile(f, text, ts.ScriptTarget.Latest, true);
        return { path: `${folder}/${f}`, source };
      }),
  );
  const declarations = declarationsOf(files);
  const sections = [];
  let count = 0;
  for (const { path, source } of files) {
    const rows = [];
    const functions = [];
    for (const node of source.statements) {
      if (ts.isFunctionDeclaration(node) && isExported(node)) {
        const takesTensors =
          node.type && /\b(Tensor|Y|Result|\w+Result)\b/.test(node.type.getText());
        if (takesTensors && node.body) {
          functions.push(`- \`${node.name.text}\`: ${sentence(docOf(node))}`);
        }
      }
      if (!ts.isVariableStatement(node) || !isExported(node)) continue;
      for (const d of node.declarationList.declarations) {
        const name = d.name.getText();
        if (!name.endsWith('Op') || !d.initializer || !ts.isCallExpression(d.initializer)) continue;
        const forms = onnxForms(d.initializer, declarations);
        rows.push(
          `| \`${name.slice(0, -2)}\` | ${cell(docOf(node))} | ${cell(gradientOf(d.initializer, declarations))} | ${forms.join(', ') || 'no node of its own'} |`,
        );
      }
    }
    if (rows.length + functions.length === 0) continue;
    count += rows.length;
    sections.push(
      [
        `## ${path.replace('src/', '')}`,
        ...(rows.length
          ? ['', '| operation | what it computes | gradient | ONNX |', '|---|---|---|---|', ...rows]
          : []),
        ...(functions.length ? ['', 'Functions:', '', ...functions] : []),
      ].join('\n'),
    );
  }
  return `${[
    '# Operations',
    `Generated by \`npm run gen\` from the sources; ${count} operations. "Zero" means that the derivative is zero almost\neverywhere, "none" that asking for it is an error. Gradients are made of these operations too, so they can be\ndifferentiated again. The last column names the ONNX operators that an operation may be written as; which of them\ndepends on shapes and device.`,
    ...sections,
  ].join('\n\n')}\n`;
}
