/** A text model as training sees it. */
import { ConfigError } from '../../errors.js';
import { type LoadedTextModel, writeTextConfig } from '../../models/index.js';
import { initialize, type Weights } from '../../nn/index.js';
import type { FitChoices } from '../options.js';
import type { PreparedNetwork } from '../workload.js';

/** Layers of a trunk, as groups of layers call them: `bert.encoder.layer.3`. */
const LAYER = /\.\d+$/;

const layersOf = ({ model }: Pick<LoadedTextModel, 'model'>) =>
  model.layerGroups().filter((group) => LAYER.test(group));

/** @throws ConfigError when more layers are to start anew than there are */
export function checkLayers(
  loaded: Pick<LoadedTextModel, 'model'>,
  { reinitLayers = 0 }: Pick<FitChoices, 'reinitLayers'>,
): void {
  const { length } = layersOf(loaded);
  if (reinitLayers <= length) return;
  throw new ConfigError(
    `reinitLayers: the base has ${length} layers, got ${reinitLayers}. To start from random weights choose the method scratch.`,
    { reinitLayers, layers: length },
  );
}

/** Draws the weights of the upper layers of the trunk anew: Zhang et al., "Revisiting few-sample BERT", 2021. */
function reinitialised(loaded: LoadedTextModel, layers: number, seed: number): Weights {
  const { model, weights } = loaded;
  const chosen = layersOf(loaded).slice(-layers);
  const isChosen = (path: string) => chosen.some((group) => path.startsWith(`${group}.`));
  return new Map([...weights, ...initialize(model, seed, isChosen)]);
}

/** The network of a base, or with `fresh` the same from random weights. */
export function networkOf(
  loaded: LoadedTextModel,
  { seed, reinitLayers = 0 }: FitChoices,
  fresh: boolean,
): PreparedNetwork {
  const { definition, config, headName, head, model, untrained } = loaded;
  const isHead = (path: string) => head.parameters?.test(path) ?? false;
  const kept = reinitLayers > 0 ? reinitialised(loaded, reinitLayers, seed) : loaded.weights;
  return {
    model,
    weights: fresh ? initialize(model, seed) : kept,
    structure: `${definition.modelType}:${headName}:${JSON.stringify(writeTextConfig(definition, headName, config))}`,
    isHead,
    hasRole: (path, role) =>
      role === 'head' ? isHead(path) : (definition.roles[role]?.test(path) ?? false),
    modality: 'text',
    width: config.hiddenSize,
    headTrained: untrained.length === 0,
  };
}
