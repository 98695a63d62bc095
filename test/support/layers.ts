/** The rules of the house: which folder may import which, and what stays out of the neutral ones. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/** Folders and files of `src` from the ground up: each may import only those before it. */
export const LAYERS = [
  'errors.ts',
  'util',
  'graph',
  'ops',
  'autodiff',
  'onnx',
  'runtime',
  'engine',
  'io',
  'nn',
  'optim',
  'models',
  'generate',
  'data',
  'metrics',
  'tasks',
  'methods',
  'train',
  'advise',
  'export',
  'run',
  'serve',
  'cli',
] as const;

/** Where a folder is entered: `index.node.ts` holds what only Node can run. */
const DOORS = ['index.ts', 'index.node.ts'];

/** Folders that run unchanged in Node, browsers and workers. */
export const NEUTRAL = [
  'errors.ts',
  'util',
  'graph',
  'ops',
  'autodiff',
  'onnx',
  'engine',
  'nn',
  'optim',
  'models',
  'generate',
  'metrics',
  'tasks',
  'methods',
];

// What ECMAScript lacks but every host has; anything else a neutral file names is a fault.
const SHARED_GLOBALS = `
  declare class TextEncoder { encode(text?: string): Uint8Array<ArrayBuffer> }
  declare class TextDecoder {
    constructor(label?: string, options?: { fatal?: boolean });
    decode(bytes?: ArrayBufferView | ArrayBuffer): string;
  }`;

/** TypeScript files below `root`, tests left out. */
export function sourceFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.endsWith('.d.ts'))
    .map((f) => join(root, f))
    .sort();
}

interface Import {
  readonly specifier: string;
  /** Erased by the compiler, so it cannot close a cycle at run time. */
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const { text } = node.moduleSpecifier as ts.StringLiteral;
      found.push({ specifier: text, typeOnly: node.importClause?.isTypeOnly ?? false });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const { text } = node.moduleSpecifier as ts.StringLiteral;
      found.push({ specifier: text, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [target] = node.arguments;
      // A dynamic import runs later, so it closes no cycle, but it still crosses folders.
      if (target && ts.isStringLiteralLike(target)) {
        found.push({ specifier: target.text, typeOnly: true });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Every break of the rules in the sources below `root`, as one line each. */
export function layerFaults(root: string): string[] {
  const files = sourceFiles(root);
  const faults: string[] = [];
  const runtimeImports = new Map<string, string[]>();
  const topOf = (file: string) => relative(root, file).split(sep)[0]!;

  for (const file of files) {
    const name = relative(root, file).split(sep).join('/');
    const top = topOf(file);
    const level = LAYERS.indexOf(top as (typeof LAYERS)[number]);
    // Files beside the folders (index.ts and its kin) are the doors of the package: they see all.
    if (level < 0 && top !== name)
      faults.push(`${name}: folder ${top} is not in the list of layers`);
    const targets: string[] = [];
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (!specifier.startsWith('.')) {
        if (/^onnxruntime-/.test(specifier) && !/^runtime\/ort-[a-z-]+\.ts$/.test(name)) {
          faults.push(`${name}: imports ${specifier}; only runtime/ort-*.ts may`);
        }
      }
      const nodeOnly = specifier.startsWith('node:') || specifier.endsWith('/index.node.js');
      if (nodeOnly && (NEUTRAL.includes(top) || name.endsWith('/index.ts'))) {
        faults.push(`${name}: imports ${specifier}, but ${top} must run in a browser too`);
      }
      if (!specifier.startsWith('.')) continue;
      const target = resolve(dirname(file), specifier).replace(/\.js$/, '.ts');
      if (!typeOnly) targets.push(target);
      const other = topOf(target);
      if (other === top || level < 0) continue;
      const otherLevel = LAYERS.indexOf(other as (typeof LAYERS)[number]);
      if (otherLevel < 0 || otherLevel > level) {
        faults.push(`${name}: imports ${specifier}, but ${top} lies below ${other}`);
      } else if (
        other.includes('.') === false &&
        !DOORS.some((door) => relative(root, target) === join(other, door))
      ) {
        faults.push(
          `${name}: imports ${specifier}; another folder only through its index.ts (or index.node.ts)`,
        );
      }
    }
    runtimeImports.set(file, targets);
  }
  return [...faults, ...cycles(root, runtimeImports)];
}

/** One line for each cycle met by a depth-first walk. */
function cycles(root: string, imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      const loop = [...path.slice(at), file].map((f) => relative(root, f).split(sep).join('/'));
      found.push(`cycle: ${loop.join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const target of imports.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return found;
}

/** Names in the neutral folders that only Node or only a browser defines, found by compiling without both. */
export function hostGlobals(root: string): string[] {
  const files = sourceFiles(root).filter((f) => NEUTRAL.includes(relative(root, f).split(sep)[0]!));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const ambient = join(root, 'shared-globals.d.ts');
  const { readFile, fileExists, getSourceFile } = host;
  host.fileExists = (f) => f === ambient || fileExists(f);
  host.readFile = (f) => (f === ambient ? SHARED_GLOBALS : readFile(f));
  host.getSourceFile = (f, ...rest) =>
    f === ambient
      ? ts.createSourceFile(f, SHARED_GLOBALS, ts.ScriptTarget.ES2023)
      : getSourceFile(f, ...rest);
  const program = ts.createProgram([...files, ambient], options, host);
  // "Cannot find name" in its several wordings, and a member that globalThis does not have.
  const unknown = new Set([2304, 2552, 2580, 2582, 2583, 2584, 2591, 2592, 2593, 7017]);
  return files.flatMap((file) =>
    program
      .getSemanticDiagnostics(program.getSourceFile(file))
      .filter((d) => unknown.has(d.code))
      .map(
        (d) => `${relative(root, file)}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`,
      ),
  );
}
