/**
 * Makes the embedded base `graft/minilm` from a BERT-architecture sentence encoder: fewer words, fewer layers,
 * taught to give the hidden states of the whole encoder, weights stored in a byte each.
 *
 *     npx tsx scripts/pretrain/text-base.ts --from FOLDER --texts FILE [--texts FILE ...] [--out assets/bases/minilm]
 *
 * `--from` is all-MiniLM-L6-v2 in Hugging Face's layout, `--texts` are files of texts whose licences allow it (see
 * the card).
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Tokenizer } from '../../src/data/index.js';
import { readTextDataset } from '../../src/data/index.node.js';
import {
  createEngine,
  type Engine,
  type HostTensor,
  toInt8Rows,
  type Weights,
} from '../../src/index.js';
import { INT8_SCALE } from '../../src/io/index.js';
import { openCheckpointFolder, writeSafetensors } from '../../src/io/index.node.js';
import {
  configText,
  type LoadedTextModel,
  loadTextModel,
  resizeVocabulary,
  type TextConfig,
  textCheckpointOf,
} from '../../src/models/index.js';
import { distil, type Encoder } from './distil-text.js';
import { pruneVocabulary } from './prune-vocabulary.js';

/** Entries of the vocabulary, and which layers are kept: what fits into 12 MB. */
const WORDS = 10_000;
const LAYERS = [0, 2, 3, 5];
/** Tokens of a piece of text. */
const TOKENS = 64;
const LR = 4e-4;

/** Every text of a data set, cut at the ends of sentences. */
async function sentencesIn(path: string): Promise<string[]> {
  const set = await readTextDataset(path, { split: false });
  const texts = set.train.flatMap((sample) =>
    Object.values(sample).filter((v): v is string => typeof v === 'string' && /\s/.test(v)),
  );
  const all = new Set(texts.flatMap((text) => text.split(/(?<=[.!?])\s+/)));
  return [...all].filter((s) => s.length > 20);
}

/** Sentences one after the other up to the length of a piece, so that little is padding. */
function piecesOf(sentences: readonly string[], tokenizer: Tokenizer): Int32Array[] {
  const { cls, sep } = tokenizer.special;
  const pieces: Int32Array[] = [];
  let open: number[] = [];
  const close = () => {
    if (open.length > 0) pieces.push(Int32Array.from([cls!, ...open, sep!]));
    open = [];
  };
  for (const sentence of sentences) {
    const ids = tokenizer.ids(sentence, { addSpecialTokens: false }).slice(0, TOKENS - 2);
    if (open.length + ids.length > TOKENS - 2) close();
    open.push(...ids);
  }
  close();
  return pieces;
}

/** The encoder with some of its layers. */
function fewerLayers(
  whole: LoadedTextModel,
  config: TextConfig,
  weights: Weights,
): Encoder & { config: TextConfig } {
  const { definition } = whole;
  const fewer = { ...config, layers: LAYERS.length };
  const model = definition.heads.base!.build(fewer);
  const chosen: Weights = new Map();
  for (const path of model.parameters().keys()) {
    const from = path.replace(/\.layer\.(\d+)\./, (_, i: string) => `.layer.${LAYERS[Number(i)]}.`);
    chosen.set(path, weights.get(from)!);
  }
  return { model, weights: chosen, config: fewer };
}

/** Matrices and tables in bytes, norms and biases as they are. */
function stored(tensors: Weights): Weights {
  const out: Weights = new Map();
  for (const [name, tensor] of tensors) {
    if (tensor.shape.length < 2) out.set(name, tensor);
    else {
      const { values, scales } = toInt8Rows(tensor);
      out.set(name, values).set(`${name}${INT8_SCALE}`, scales);
    }
  }
  return out;
}

async function make(
  engine: Engine,
  { from, texts, out, epochs }: { from: string; texts: string[]; out: string; epochs: number },
): Promise<void> {
  const files = openCheckpointFolder(from);
  const sentences = (await Promise.all(texts.map(sentencesIn))).flat();
  const json = JSON.parse((await files.text('tokenizer.json'))!);
  const names = ((await files.json('tokenizer_config.json')) ?? {}) as Record<string, unknown>;
  const { tokenizer, rowOf } = pruneVocabulary(json, names, sentences, WORDS);
  const whole = await loadTextModel(files, { head: 'base' });
  const resized = resizeVocabulary(whole.definition, 'base', whole.config, whole.weights, rowOf);
  const student = fewerLayers(whole, resized.config, resized.weights);
  const pieces = piecesOf(sentences, tokenizer);
  const tokens = pieces.reduce((n, p) => n + p.length, 0);
  console.log(`${sentences.length} sentences, ${tokens} tokens in ${pieces.length} pieces`);
  const started = performance.now();
  const weights = await distil(engine, { ...resized }, student, {
    pieces,
    tokens: TOKENS,
    padToken: tokenizer.special.pad!,
    batchSize: 32,
    epochs,
    lr: LR,
    seed: 1,
    log: (step, steps, loss) => {
      const seconds = (performance.now() - started) / 1000;
      if (step % 20 === 0 || step === 1) {
        console.log(`${step}/${steps} ${loss.toFixed(4)} ${seconds.toFixed(0)} s`);
      }
    },
  });
  const checkpoint = textCheckpointOf({
    definition: whole.definition,
    headName: 'base',
    config: student.config,
    raw: whole.raw,
    weights,
  });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'config.json'), configText(checkpoint.config));
  for (const [name, text] of tokenizer.files()) writeFileSync(join(out, name), text);
  await writeSafetensors(
    join(out, 'model.safetensors'),
    stored(checkpoint.tensors) as Map<string, HostTensor>,
  );
}

const { values } = parseArgs({
  options: {
    from: { type: 'string' },
    texts: { type: 'string', multiple: true },
    out: { type: 'string', default: 'assets/bases/minilm' },
    epochs: { type: 'string', default: '6' },
  },
});
if (!values.from || !existsSync(values.from) || !values.texts?.length) {
  throw new Error('Give --from, a folder with all-MiniLM-L6-v2, and --texts, files to learn from.');
}
await make(await createEngine(), {
  from: values.from,
  texts: values.texts,
  out: values.out,
  epochs: Number(values.epochs),
});
