/** Small bases for curves: a tokenizer trained on the texts at hand, and a network from random weights. */
import { createTokenizer, trainUnigram } from '../../src/data/index.js';
import { readTextDataset } from '../../src/data/index.node.js';
import { initialize, type Weights } from '../../src/index.js';
import { openCheckpointFolder } from '../../src/io/index.node.js';
import {
  loadTextDefinition,
  loadTextModel,
  type RawConfig,
  type TextHead,
} from '../../src/models/index.js';
import { openTextFolder } from '../../src/run/text/base.js';
import { saveTextModel } from '../../src/run/text/save-model.js';

/** An architecture small enough that a curve takes minutes. */
export interface SmallNetwork {
  readonly modelType: string;
  readonly head: TextHead;
  readonly config: RawConfig;
  /** Entries of its tokenizer. */
  readonly words: number;
}

/** Ids of the special tokens that come first in the tokenizer. */
const TOKENS = { pad_token: '<pad>', eos_token: '</s>', unk_token: '<unk>' };
const IDS = { pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0, bos_token_id: 1 };

/** Every text of the training parts of some data sets. */
export async function textsOf(folders: readonly string[]): Promise<string[]> {
  const sets = await Promise.all(folders.map((f) => readTextDataset(f, { split: false })));
  return sets.flatMap((set) =>
    set.train.flatMap((sample) => {
      const { source, target, text } = sample as {
        source?: string;
        target?: string;
        text?: string;
      };
      return [source, target, text].filter((t) => t !== undefined);
    }),
  );
}

/** Writes a network from random weights with a tokenizer for `texts`. */
export async function writeSmallBase(
  folder: string,
  { modelType, head: headName, config: raw, words }: SmallNetwork,
  texts: readonly string[],
): Promise<void> {
  const json = trainUnigram(texts, { vocabularySize: words });
  const tokenizer = createTokenizer({ tokenizer: json, config: TOKENS });
  const definition = await loadTextDefinition(modelType);
  const config = definition.parse({ ...raw, ...IDS, vocab_size: tokenizer.vocabularySize });
  const head = definition.heads[headName]!;
  const model = head.build(config);
  const weights = initialize(model, 0);
  const loaded = { definition, config, headName, head, model, raw, untrained: [], unused: [] };
  await saveTextModel(folder, { ...loaded, weights }, tokenizer, weights);
}

/** Copies a trained encoder-decoder with its decoder drawn anew: only the encoder, and the words, are kept. */
export async function keepEncoder(from: string, to: string, seed: number): Promise<void> {
  const { tokenizer } = await openTextFolder(from);
  const loaded = await loadTextModel(openCheckpointFolder(from), { head: 'seq2seq-lm' });
  const fresh = initialize(loaded.model, seed, (path) => path.startsWith('decoder.'));
  const weights: Weights = new Map([...loaded.weights, ...fresh]);
  await saveTextModel(to, { ...loaded, weights }, tokenizer, weights);
}
