/**
 * Imports a hundred thousand damaged and hostile ONNX files. Each must end with a graph or a
 * GraftError, soon, and without taking more memory than it is worth.
 *
 *     npm run bench:fuzz [-- --json] [--cases 100000] [--seed 1]
 *
 * The cases run in a process of their own, so that a crash or a hang is found and named.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { Engine } from '../src/engine/engine.js';
import { engineEvaluator } from '../src/engine/import.js';
import { nodeRuntime } from '../src/runtime/ort-node.js';
import { type FuzzCase, fuzzBytes, fuzzCase, tryImport } from '../test/support/fuzz-onnx.js';

const { values: args } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    worker: { type: 'boolean', default: false },
  },
});

/** Cases are drawn in blocks, each with its own seed, so that any of them can be made again. */
const BLOCK = 1000;
/** Longest that one import of a file of a few kilobytes may take, in milliseconds. */
const MAX_CASE_MS = 10_000;
/** What the process may grow to, in bytes; sessions of ONNX Runtime are part of it. */
const MAX_MEMORY = 3 * 2 ** 30;

interface Report {
  readonly block: number;
  readonly at: number;
  readonly outcomes?: Readonly<Record<string, number>>;
  readonly slowestMs?: number;
  readonly memory?: number;
  readonly fault?: string;
}

function drawBlock(block: number): FuzzCase[] {
  return fc.sample(fuzzCase, { numRuns: BLOCK, seed: Number(args.seed) * 1_000_003 + block });
}

async function work(first: number, last: number): Promise<void> {
  const runtime = await nodeRuntime({ threads: 1 });
  const send = (report: Report) => process.send!(report);
  for (let block = first; block < last; block++) {
    const evaluator = engineEvaluator(new Engine(runtime));
    const outcomes: Record<string, number> = {};
    let slowestMs = 0;
    for (const [at, c] of drawBlock(block).entries()) {
      send({ block, at });
      const started = performance.now();
      try {
        const outcome = await tryImport(fuzzBytes(c), evaluator);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      } catch (error) {
        send({ block, at, fault: `${(error as Error).stack}` });
      }
      slowestMs = Math.max(slowestMs, performance.now() - started);
    }
    send({ block, at: BLOCK, outcomes, slowestMs, memory: process.memoryUsage().rss });
  }
}

interface Totals {
  readonly outcomes: Map<string, number>;
  readonly faults: string[];
  cases: number;
  slowestMs: number;
  memory: number;
}

/** Runs blocks in a child until it is done, dies or hangs; returns the block to go on with. */
function runChild(first: number, last: number, totals: Totals): Promise<number> {
  return new Promise((resolve) => {
    const file = fileURLToPath(import.meta.url);
    const child: ChildProcess = fork(file, [
      '--worker',
      '--seed',
      args.seed,
      '--cases',
      `${first},${last}`,
    ]);
    let now = { block: first, at: 0 };
    let seen = Date.now();
    const watch = setInterval(() => {
      if (Date.now() - seen < MAX_CASE_MS) return;
      totals.faults.push(`hang: block ${now.block}, case ${now.at}`);
      child.kill('SIGKILL');
    }, 500);
    child.on('message', (report: Report) => {
      seen = Date.now();
      now = report;
      if (report.fault) totals.faults.push(`block ${now.block}, case ${now.at}: ${report.fault}`);
      if (!report.outcomes) return;
      for (const [k, n] of Object.entries(report.outcomes)) {
        totals.outcomes.set(k, (totals.outcomes.get(k) ?? 0) + n);
        totals.cases += n;
      }
      totals.slowestMs = Math.max(totals.slowestMs, report.slowestMs!);
      totals.memory = Math.max(totals.memory, report.memory!);
      if (report.block % 10 === 9) console.error(`${totals.cases} cases`);
    });
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      if (code === 0) return resolve(last);
      if (signal !== 'SIGKILL') {
        totals.faults.push(`crash (${signal ?? code}): block ${now.block}, case ${now.at}`);
      }
      resolve(now.block + 1);
    });
  });
}

async function main(): Promise<void> {
  const blocks = Math.ceil(Number(args.cases) / BLOCK);
  const totals: Totals = { outcomes: new Map(), faults: [], cases: 0, slowestMs: 0, memory: 0 };
  const started = Date.now();
  for (let block = 0; block < blocks; ) block = await runChild(block, blocks, totals);
  if (totals.memory > MAX_MEMORY) totals.faults.push(`memory: ${totals.memory} bytes`);
  const log = args.json ? console.error : console.log;
  for (const [k, n] of [...totals.outcomes].sort((a, b) => b[1] - a[1])) {
    log(`${String(n).padStart(8)}  ${k}`);
  }
  for (const fault of totals.faults.slice(0, 20)) log(`FAULT ${fault}`);
  const note = `${totals.cases} cases in ${Math.round((Date.now() - started) / 1000)} s, slowest ${Math.round(totals.slowestMs)} ms, peak ${Math.round(totals.memory / 2 ** 20)} MiB, ${totals.outcomes.get('imported') ?? 0} imported`;
  log(`${totals.faults.length} faults; ${note}`);
  if (args.json) {
    const row = {
      name: 'import fuzz: faults',
      ours: totals.faults.length,
      peer: null,
      ratio: null,
      spread: null,
      goal: 0,
      unit: 'faults',
      note,
    };
    console.log(JSON.stringify({ rows: [row] }));
  }
  process.exitCode = totals.faults.length > 0 ? 1 : 0;
}

if (args.worker) {
  const [first, last] = args.cases.split(',').map(Number) as [number, number];
  await work(first, last);
  process.disconnect();
} else {
  await main();
}
