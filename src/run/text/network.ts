/** A text model as training sees it. */
import { ConfigError } from '../../errors.js';
import { findMethod } from '../../methods/index.js';
import { type LoadedTextModel, writeTextConfig } from '../../models/index.js';
import { initialize, type Weights } from '../../nn/index.js';
import type { FitChoices } from '../options.js';
import type { PreparedNetwork } from '../workload.js';

/** Layers of a trunk, as groups of layers call them: `bert.encoder.layer.3`. */
const LAYER = /\.\d+$/;

const layersOf = ({ model }: Pick<LoadedTextModel, 'model'>) =>
  model.layerGroups().filter((group) => LAYER.test(group));

/** Draws the weights of the upper layers of the trunk anew: Zhang et al., "Revisiting few-sample BERT", 2021. */
function reinitialised(loaded: LoadedTextModel, layers: number, seed: number): Weights {
  const { model, weights } = loaded;
  const chosen = layersOf(loaded).slice(-layers);
  const isChosen = (path: string) => chosen.some((group) => path.startsWith(`${group}.`));
  return new Map([...weights, ...initialize(model, seed, isChosen)]);
}

/** A model as methods see it, before its weights are drawn. */
function describedNetwork({
  definition,
  config,
  headName,
  head,
  model,
  untrained,
}: LoadedTextModel): Omit<PreparedNetwork, 'weights'> {
  const isHead = (path: string) => head.parameters?.test(path) ?? false;
  return {
    model,
    structure: `${definition.modelType}:${headName}:${JSON.stringify(writeTextConfig(definition, headName, config))}`,
    isHead,
    hasRole: (path, role) =>
      role === 'head' ? isHead(path) : (definition.roles[role]?.test(path) ?? false),
    modality: 'text',
    width: config.hiddenSize,
    headTrained: untrained.length === 0,
  };
}

/**
 * Finds out what cannot be done before anything is written.
 * @throws ConfigError when more layers are to start anew than there are, or the method cannot train the model
 */
export function checkNetwork(
  loaded: LoadedTextModel,
  { method, epochs, reinitLayers = 0 }: FitChoices,
): void {
  const { length } = layersOf(loaded);
  if (reinitLayers > length) {
    throw new ConfigError(
      `reinitLayers: the base has ${length} layers, got ${reinitLayers}. To start from random weights choose the method scratch.`,
      { reinitLayers, layers: length },
    );
  }
  findMethod(method).plan({ ...describedNetwork(loaded), epochs });
}

/** The network of a base, or with `fresh` the same from random weights. */
export function networkOf(
  loaded: LoadedTextModel,
  { seed, reinitLayers = 0 }: FitChoices,
  fresh: boolean,
): PreparedNetwork {
  const kept = reinitLayers > 0 ? reinitialised(loaded, reinitLayers, seed) : loaded.weights;
  const weights = fresh ? initialize(loaded.model, seed) : kept;
  return { ...describedNetwork(loaded), weights };
}
