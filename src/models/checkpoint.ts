/** A checkpoint as models see it: small JSON files and tensors, wherever they lie. */
import { hostTensor } from '../graph/index.js';
import type { TensorSource } from '../io/index.js';
import type { Weights } from '../nn/index.js';
import { writeConfig } from './config-fields.js';
import type { ImageConfig, ModelDefinition, RawConfig } from './define-model.js';
import type { ImagePreprocess } from './preprocess.js';
import { preprocessorFor } from './preprocess-write.js';

/** The files of one checkpoint. */
export interface CheckpointFiles {
  /** For messages: a folder, a repository. */
  readonly name: string;
  /** A JSON file of the checkpoint; null when there is none of that name. */
  json(file: string): Promise<RawConfig | null>;
  /** The weights, from whichever format is there. */
  tensors(): Promise<TensorSource>;
}

/** What a folder in Hugging Face's layout holds. */
export interface Checkpoint {
  /** `config.json` */
  readonly config: RawConfig;
  /** `preprocessor_config.json` */
  readonly preprocessor: RawConfig;
  /** `model.safetensors` */
  readonly tensors: Weights;
}

/**
 * The way out: what `loadImageClassifier` gave, perhaps with other labels and weights, as the files
 * of a checkpoint that transformers loads where it has the model. Tensors have Hugging Face's names,
 * which are the paths of parameters.
 */
export function checkpointOf({
  definition,
  config,
  weights,
  preprocess,
}: {
  readonly definition: ModelDefinition;
  readonly config: ImageConfig;
  readonly weights: Weights;
  readonly preprocess: ImagePreprocess;
}): Checkpoint {
  const tensors: Weights = new Map(weights);
  if (definition.architecture) {
    // Counters that PyTorch keeps; without them transformers reports tensors as newly initialised.
    for (const path of weights.keys()) {
      const name = path.replace(/\.running_mean$/, '.num_batches_tracked');
      if (name !== path) tensors.set(name, hostTensor('int64', [], [0]));
    }
  }
  return {
    config: writeConfig(definition, config),
    preprocessor: preprocessorFor(definition.processor, preprocess),
    tensors,
  };
}
