/**
 * Runs ONNX's backend node tests through the importer and the engine.
 *
 *     python scripts/conformance/export-onnx-tests.py
 *     npm run conformance [-- --json] [--write] [--filter TEXT] [--verbose]
 *
 * `--write` puts the table into docs/onnx-conformance.md.
 * With `--json` the last line on stdout is one JSON object with the rows of the result.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Engine } from '../../src/engine/index.js';
import { knownOps } from '../../src/onnx/index.js';
import { nodeRuntime } from '../../src/runtime/ort-node.js';
import { type Outcome, runCase } from './case.js';

const { values: args } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    filter: { type: 'string', default: '' },
    folder: { type: 'string', default: '.cache/onnx-node-tests' },
    write: { type: 'boolean', default: false },
  },
});

const log = (line: string) => (args.json ? console.error(line) : console.log(line));

interface Suite {
  readonly onnx: string;
  readonly opset20: readonly string[];
}

function loadSuite(): Suite {
  const path = join(args.folder, 'suite.json');
  if (!existsSync(path)) {
    console.error(
      `There are no ONNX node tests in ${args.folder}. The Python package onnx carries them; write them out with\n\n    pip install onnx\n    python scripts/conformance/export-onnx-tests.py ${args.folder}\n`,
    );
    process.exit(1);
  }
  return JSON.parse(readFileSync(path, 'utf8'));
}

async function runAll(): Promise<Outcome[]> {
  const runtime = await nodeRuntime({ threads: 1 });
  const outcomes: Outcome[] = [];
  for (const entry of readdirSync(args.folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.includes(args.filter)) continue;
    // An engine a case: sessions are kept by an engine, and two thousand of them are many.
    const outcome = await runCase(new Engine(runtime), join(args.folder, entry.name));
    outcomes.push(outcome);
    if (args.verbose && outcome.status !== 'passed') {
      log(`${outcome.status} ${outcome.name}: ${outcome.skip ?? ''} ${outcome.detail ?? ''}`);
    }
  }
  return outcomes;
}

interface OpRow {
  passed: number;
  failed: number;
  skipped: number;
}

function byOperator(outcomes: readonly Outcome[]): [string, OpRow][] {
  const table = new Map<string, OpRow>();
  for (const { ops, status } of outcomes) {
    for (const op of ops) {
      const row = table.get(op) ?? { passed: 0, failed: 0, skipped: 0 };
      row[status]++;
      table.set(op, row);
    }
  }
  return [...table].sort(([a], [b]) => (a < b ? -1 : 1));
}

function opTable(table: readonly [string, OpRow][]): void {
  const rules = new Set(knownOps());
  log('operator                          rule  passed  failed  skipped');
  for (const [op, row] of table) {
    log(
      `${op.padEnd(34)}${(rules.has(op) ? 'yes' : '-').padEnd(4)}${String(row.passed).padStart(8)}${String(row.failed).padStart(8)}${String(row.skipped).padStart(9)}`,
    );
  }
}

const suite = loadSuite();
const outcomes = await runAll();
if (outcomes.length === 0) {
  console.error(`No case matches '${args.filter}' in ${args.folder}.`);
  process.exit(1);
}
const table = byOperator(outcomes);
opTable(table);
const skips = new Map<string, number>();
for (const { skip } of outcomes) if (skip) skips.set(skip, (skips.get(skip) ?? 0) + 1);
log('');
for (const [why, n] of skips) log(`skipped ${String(n).padStart(4)}  ${why}`);
for (const o of outcomes) if (o.status === 'failed') log(`FAILED ${o.name}: ${o.detail}`);

const known = outcomes.filter((o) => o.known);
const passed = known.filter((o) => o.status === 'passed').length;
const failed = known.filter((o) => o.status === 'failed').length;
const rules = new Set(knownOps());
const covered = suite.opset20.filter((op) => rules.has(op)).length;
const all = outcomes.filter((o) => o.status === 'passed').length;
log(
  `\nonnx ${suite.onnx}: ${outcomes.length} cases, ${all} passed; of known operators ${passed} passed, ${failed} failed, ${known.length - passed - failed} skipped. ${covered} of ${suite.opset20.length} operators of opset 20 have a rule.`,
);
const row = (name: string, ours: number, goal: number, note: string) => ({
  name,
  ours,
  peer: null,
  ratio: null,
  spread: null,
  goal,
  unit: 'share',
  note,
});
if (args.json) {
  console.log(
    JSON.stringify({
      rows: [
        row(
          'known ops: passed share',
          passed / Math.max(1, passed + failed),
          1,
          `${passed} passed, ${failed} failed, ${known.length - passed - failed} skipped with a reason`,
        ),
        row(
          'import coverage',
          covered / suite.opset20.length,
          0.85,
          `${covered} of ${suite.opset20.length} operators of opset 20; onnx ${suite.onnx}`,
        ),
      ],
    }),
  );
}
if (args.write) {
  const lines = [
    '# ONNX conformance',
    '',
    '<!-- Written by `npm run conformance -- --write`. -->',
    '',
    `The backend node tests of onnx ${suite.onnx}, imported and run through the engine on the CPU:`,
    `${outcomes.length} cases, ${all} passed. Of operators that Graft has a rule for, ${passed} passed, ${failed} failed and`,
    `${known.length - passed - failed} were skipped. ${covered} of the ${suite.opset20.length} operators of opset 20 have a rule; the others are`,
    `${suite.opset20.filter((op) => !rules.has(op)).join(', ')}.`,
    '',
    '| skipped | because |',
    '|--:|---|',
    ...[...skips].map(([why, n]) => `| ${n} | ${why} |`),
    '',
    '| operator | rule | passed | failed | skipped |',
    '|---|---|--:|--:|--:|',
    ...table.map(
      ([op, r]) =>
        `| ${op} | ${rules.has(op) ? 'yes' : 'carried through'} | ${r.passed} | ${r.failed} | ${r.skipped} |`,
    ),
    '',
  ];
  writeFileSync('docs/onnx-conformance.md', lines.join('\n'));
}
process.exitCode = failed > 0 ? 1 : 0;
