/** A trained text model as a folder in Hugging Face's layout, written whole or not at all. */
import type { Tokenizer } from '../../data/index.js';
import { writeTokenizer } from '../../export/index.node.js';
import { writeSafetensors, writeWhole } from '../../io/index.node.js';
import { configText, type LoadedTextModel, textCheckpointOf } from '../../models/index.js';
import type { Weights } from '../../nn/index.js';
import { replaceModel } from '../save-model.js';

/** Writes config, weights and tokenizer; an older model at `path` is replaced at the end. */
export async function saveTextModel(
  path: string,
  loaded: LoadedTextModel,
  tokenizer: Tokenizer,
  weights: Weights,
): Promise<void> {
  const { config, tensors } = textCheckpointOf({ ...loaded, weights });
  await replaceModel(path, async (place) => {
    await writeWhole(place('config.json'), [new TextEncoder().encode(configText(config))]);
    await writeTokenizer(place('.'), tokenizer, loaded.definition.inputs);
    // Python's loaders ask for this word.
    await writeSafetensors(place('model.safetensors'), tensors, { format: 'pt' });
  });
}
