/** A trained text model as a folder in Hugging Face's layout, written whole or not at all. */
import type { Tokenizer } from '../../data/index.js';
import { writePooling, writeTokenizer } from '../../export/index.node.js';
import { generationFile } from '../../generate/index.js';
import { writeSafetensors, writeWhole } from '../../io/index.node.js';
import {
  configText,
  type LoadedTextModel,
  type RawConfig,
  type TextHead,
  textCheckpointOf,
} from '../../models/index.js';
import type { Weights } from '../../nn/index.js';
import { replaceModel } from '../save-model.js';
import { type Learned, withLearned } from './learned.js';

/** Heads that are trained on texts cut to a length; a language model is trained on blocks, which say nothing of texts. */
const ON_BLOCKS = new Set<TextHead>(['masked-lm', 'causal-lm']);

/**
 * Writes configuration (of how it writes as well, where it does), weights and tokenizer; an older model at `path` is
 * replaced at the end.
 * @param maxTokens where texts were cut, so that others cut them there too
 * @param learned what the model must know of its training data
 * @param pooling the files that say how it makes embeddings, by their paths
 */
export async function saveTextModel(
  path: string,
  loaded: LoadedTextModel,
  tokenizer: Tokenizer,
  weights: Weights,
  maxTokens?: number,
  learned: Learned = {},
  pooling: ReadonlyMap<string, unknown> = new Map(),
): Promise<void> {
  const raw = withLearned(loaded.raw, learned);
  const { config, tensors } = textCheckpointOf({ ...loaded, raw, weights });
  await replaceModel(path, async (place) => {
    const put = (name: string, content: RawConfig) =>
      writeWhole(place(name), [new TextEncoder().encode(configText(content))]);
    await put('config.json', config);
    const { headName } = loaded;
    if (headName === 'causal-lm' || headName === 'seq2seq-lm') {
      await put('generation_config.json', generationFile(loaded));
    }
    await writePooling(place('.'), pooling);
    const limit = ON_BLOCKS.has(headName) ? undefined : maxTokens;
    await writeTokenizer(place('.'), tokenizer, loaded, limit);
    // Python's loaders ask for this word.
    await writeSafetensors(place('model.safetensors'), tensors, { format: 'pt' });
  });
}
