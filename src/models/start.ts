/** Starting values of whole models, as reference implementations set them: by kind of layer. */
import {
  Conv2d,
  Embedding,
  type Initializer,
  Linear,
  type Module,
  normalInit,
  zerosInit,
} from '../nn/index.js';

/** A module and everything below it. */
export function modulesOf(module: Module): Module[] {
  return [module, ...[...module.children().values()].flatMap(modulesOf)];
}

/** What layers start from; what is left out keeps PyTorch's own start of the layer. */
export interface Start {
  /** Weights of convolutions; their biases then start at zero. */
  readonly conv?: Initializer;
  /** Weights of linear layers; their biases then start at zero. */
  readonly linear?: Initializer;
  /** Tables of embeddings. */
  readonly embedding?: Initializer;
}

/** Sets the starting values of all layers in `module`; called at the end of a constructor. */
export function startFrom(module: Module, { conv, linear, embedding }: Start): void {
  for (const layer of modulesOf(module)) {
    if (layer instanceof Embedding && embedding) layer.weight.init = embedding;
    const init = layer instanceof Conv2d ? conv : layer instanceof Linear ? linear : undefined;
    if (!init) continue;
    const { weight, bias } = layer as Conv2d | Linear;
    weight.init = init;
    if (bias) bias.init = zerosInit();
  }
}

/** Starting values of transformers' text models: normal with this deviation, biases zero. */
export function startText(module: Module, deviation: number): void {
  const init = normalInit(deviation);
  startFrom(module, { linear: init, embedding: init });
}
