/** A trained text model as a folder in Hugging Face's layout, written whole or not at all. */
import type { Tokenizer } from '../../data/index.js';
import { writeTokenizer } from '../../export/index.node.js';
import { generationFile } from '../../generate/index.js';
import { writeSafetensors, writeWhole } from '../../io/index.node.js';
import {
  configText,
  type LoadedTextModel,
  type RawConfig,
  textCheckpointOf,
} from '../../models/index.js';
import type { Weights } from '../../nn/index.js';
import { replaceModel } from '../save-model.js';

/** Writes configuration (of how it writes as well, where it does), weights and tokenizer; an older model at `path` is replaced at the end. */
export async function saveTextModel(
  path: string,
  loaded: LoadedTextModel,
  tokenizer: Tokenizer,
  weights: Weights,
): Promise<void> {
  const { config, tensors } = textCheckpointOf({ ...loaded, weights });
  await replaceModel(path, async (place) => {
    const put = (name: string, content: RawConfig) =>
      writeWhole(place(name), [new TextEncoder().encode(configText(content))]);
    await put('config.json', config);
    const { headName } = loaded;
    if (headName === 'causal-lm' || headName === 'seq2seq-lm') {
      await put('generation_config.json', generationFile(loaded));
    }
    await writeTokenizer(place('.'), tokenizer, loaded);
    // Python's loaders ask for this word.
    await writeSafetensors(place('model.safetensors'), tensors, { format: 'pt' });
  });
}
