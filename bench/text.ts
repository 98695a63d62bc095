/**
 * `npm run bench:text`: BERT-base trained, frozen and evaluated, GPT-2 writing, texts of mixed lengths,
 * beside PyTorch and transformers; what tokenizing costs, memory, the first step. Two threads each.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../src/index.js';
import { saveTextModel } from '../src/run/text/save-model.js';
import { nodeRuntime } from '../src/runtime/ort-node.js';
import { FIRST_STEP, firstStepRow } from './first-step.js';
import { benchOptions, duel, type Row, type RowHead, type Side, sideOf, Table } from './harness.js';
import {
  FROZEN_PASSES,
  frozenRun,
  MINI_LM,
  mixedIds,
  type Passes,
  sentencePasses,
  translationIds,
  translationPasses,
} from './models/passes.js';
import {
  BATCH,
  evaluation,
  FULL_STEP,
  fullStep,
  generation,
  headStep,
  PROMPT,
  prepareText,
  THREADS,
  TOKENS,
  WRITTEN,
} from './models/text.js';
import { ourPeak, Peer, PeerError, peerPeak } from './peer.js';
import { longTexts, wordPiece } from './texts.js';

const TORCH = new URL('./peers/text.py', import.meta.url);

const HEAD = 'BERT-base frozen trunk + head step';
const EVALUATION = 'BERT-base evaluation forward';
const COMPILED = `${EVALUATION}, torch.compile`;
const GENERATION = `GPT-2 small, ${WRITTEN} tokens after ${PROMPT}`;
const MIXED = 'MiniLM-L6 size, a pass over mixed lengths';
const FROZEN = `MiniLM-L6 size frozen, a run of ${FROZEN_PASSES} passes over mixed lengths`;
const TRANSLATION = 'T5-small, a pass over translations';
const TOKENIZING = `${BATCH} texts of ${TOKENS} tokens to ids, WordPiece`;
const MEMORY = `${FULL_STEP}, peak memory`;

const ORDER = [
  FULL_STEP,
  HEAD,
  EVALUATION,
  COMPILED,
  GENERATION,
  MIXED,
  FROZEN,
  TRANSLATION,
  TOKENIZING,
  FIRST_STEP,
  MEMORY,
];

/** Share of a step that tokenizing its batch may take. */
const TOKENIZING_SHARE = 0.05;

/** What a row needs beside the engine, made when the first row asks for it. */
class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'graft-bench-'));
  private peer: Promise<Peer> | undefined;

  torch(): Promise<Peer> {
    this.peer ??= Peer.python(TORCH, [this.folder]);
    return this.peer;
  }

  async close(): Promise<void> {
    (await this.peer?.catch(() => undefined))?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An engine of its own, so that one row's sessions do not stay for the next. */
async function withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = new Engine(await nodeRuntime({ threads: THREADS }));
  const result = await work(engine);
  await engine.release();
  return result;
}

/** Ours against the row of the same name that PyTorch prepares. */
async function against(
  bench: Bench,
  head: RowHead,
  prepare: (engine: Engine) => Promise<() => Promise<unknown>>,
  pairs: number,
): Promise<Row> {
  const peer = await bench.torch();
  return peer.with(head.name, (theirs, said) =>
    withEngine(async (engine) => {
      const run = await prepare(engine);
      // Compiles.
      await run();
      const note = [head.note, said].filter(Boolean).join('; ');
      return duel({ ...head, note }, sideOf(run), theirs, { pairs });
    }),
  );
}

/** Against a compiled graph of PyTorch's, where it can make one. */
async function compiledRow(bench: Bench): Promise<Row> {
  const head = { name: COMPILED, goal: 1 };
  try {
    return await against(bench, head, evaluation, 5);
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    const nothing = { peer: null, ratio: null, spread: null, unit: 'ms', note: error.message };
    const ours = await withEngine(async (engine) => {
      const run = await evaluation(engine);
      await run();
      return sideOf(run).time(3);
    });
    return { ...head, ...nothing, ours } as Row;
  }
}

const tokensIn = (rows: readonly (readonly number[])[]) => rows.reduce((n, r) => n + r.length, 0);

/** Time of a pass, and tokens a second in the note: padding counts for neither side. */
async function passRow(
  bench: Bench,
  head: RowHead,
  tokens: number,
  start: (engine: Engine) => Promise<Passes>,
): Promise<Row> {
  const peer = await bench.torch();
  return peer.with(head.name, (theirs) =>
    withEngine(async (engine) => {
      const passes = await start(engine);
      await passes.pass();
      const row = await duel(head, sideOf(passes.pass), theirs, { pairs: 5, calls: 1 });
      await passes.end();
      const rate = (ms: number) => `${Math.round((tokens / ms) * 1000)} tokens/s`;
      const note = `${head.note}, ${tokens} tokens; ours ${rate(row.ours)}, transformers' Trainer with group_by_length ${rate(row.peer!)}`;
      return { ...row, note };
    }),
  );
}

/** Sentences as transformers' side reads them. */
function writeSentences({ folder }: Bench): number[][] {
  const ids = mixedIds();
  writeFileSync(join(folder, 'mixed.json'), JSON.stringify({ ids, config: MINI_LM }));
  return ids;
}

function mixedRow(bench: Bench): Promise<Row> {
  const ids = writeSentences(bench);
  const head = { name: MIXED, goal: 1.3, note: `${ids.length} sentences` };
  return passRow(bench, head, tokensIn(ids), (engine) => sentencePasses(engine, ids));
}

function translationRow(bench: Bench): Promise<Row> {
  const pairs = translationIds();
  writeFileSync(join(bench.folder, 'pairs.json'), JSON.stringify(pairs));
  const head = { name: TRANSLATION, goal: 1.2, note: `${pairs.length} pairs` };
  const tokens = tokensIn(pairs.flatMap(({ source, target }) => [source, target]));
  return passRow(bench, head, tokens, (engine) => translationPasses(engine, pairs));
}

/** A whole run, from compiling on: what is kept of a frozen trunk pays from the second pass on. */
async function frozenRow(bench: Bench): Promise<Row> {
  const ids = writeSentences(bench);
  const peer = await bench.torch();
  return peer.with(FROZEN, (theirs) =>
    withEngine(async (engine) => {
      const head = { name: FROZEN, goal: 1.4, note: `${ids.length} sentences, features kept` };
      return duel(head, sideOf(await frozenRun(engine, ids)), theirs, { pairs: 5, calls: 1 });
    }),
  );
}

/** A batch made into ids against the share of our own full step that it may take. */
async function tokenizingRow(): Promise<Row> {
  const tokenizer = wordPiece();
  const texts = longTexts(tokenizer, TOKENS);
  let at = 0;
  // Other texts at every call: words that come again are remembered, as in a run.
  const batch = async () => {
    for (let i = 0; i < BATCH; i++) {
      tokenizer.encode(texts[at++ % texts.length]!, { maxLength: TOKENS });
    }
  };
  return withEngine(async (engine) => {
    const step = await fullStep(engine);
    await step();
    const steps = sideOf(step);
    const share: Side = { time: async (calls) => (await steps.time(calls)) * TOKENIZING_SHARE };
    const row = await duel({ name: TOKENIZING, goal: 1 }, sideOf(batch), share, { pairs: 3 });
    const taken = (100 * TOKENIZING_SHARE) / row.ratio!;
    const limit = `limit ${TOKENIZING_SHARE * 100} % of ${FULL_STEP}`;
    return { ...row, note: `${limit}; it takes ${taken.toFixed(2)} %` };
  });
}

/** A base on disk as it lies in the hub's cache, taken up by fresh processes. */
async function firstStep(bench: Bench): Promise<Row> {
  const path = join(bench.folder, 'bert-base');
  const prepared = await prepareText('bert', 'base');
  await saveTextModel(path, prepared, wordPiece(), prepared.weights);
  return firstStepRow(path, TORCH);
}

function memoryRow(): Row {
  const ours = ourPeak('text', FULL_STEP, 3);
  const peer = peerPeak(TORCH, FULL_STEP, 3);
  const ratio = peer / ours;
  return { name: MEMORY, ours, peer, ratio, spread: null, goal: 1, unit: 'MiB', note: '' };
}

const SIZE = `batch ${BATCH} x ${TOKENS}`;
const MAKERS: Readonly<Record<string, (bench: Bench) => Promise<Row>>> = {
  [FULL_STEP]: (bench) => {
    const note = `${SIZE}, AdamW, gradient clipped, dropout 0.1`;
    return against(bench, { name: FULL_STEP, goal: 1.2, note }, fullStep, 5);
  },
  [HEAD]: (bench) => against(bench, { name: HEAD, goal: 1.4, note: SIZE }, headStep, 5),
  [EVALUATION]: (bench) =>
    against(bench, { name: EVALUATION, goal: 1.4, note: SIZE }, evaluation, 7),
  [COMPILED]: compiledRow,
  [GENERATION]: (bench) => against(bench, { name: GENERATION, goal: 1.5 }, generation, 5),
  [MIXED]: mixedRow,
  [FROZEN]: frozenRow,
  [TRANSLATION]: translationRow,
  [TOKENIZING]: tokenizingRow,
  [FIRST_STEP]: firstStep,
  [MEMORY]: async () => memoryRow(),
};

const options = benchOptions(process.argv.slice(2));
const table = new Table({
  options,
  kept: new URL('../.cache/bench-text.json', import.meta.url),
  part: 'text table',
  order: ORDER,
});
const bench = new Bench();
try {
  for (const [name, make] of Object.entries(MAKERS)) {
    if (table.wants(name)) table.add(await make(bench));
  }
  const title = async () => `PyTorch ${(await bench.torch()).version}, ${THREADS} threads`;
  table.finish(options.write ? await title() : '');
} catch (error) {
  console.error(error instanceof PeerError ? error.message : error);
  process.exitCode = 1;
} finally {
  await bench.close();
}
