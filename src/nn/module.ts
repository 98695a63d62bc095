/**
 * Modules: functions over symbolic tensors that own parameters. The path of a parameter is where
 * it is found (`layer1.0.conv1.weight`), so classes are written with the field's tensor names.
 */
import { ConfigError } from '../errors.js';
import {
  type DType,
  formatType,
  type HostTensor,
  input,
  type Shape,
  sameShape,
  type Tensor,
} from '../graph/index.js';
import { foldIn } from '../ops/index.js';
import { foldKey, makeKey } from '../util/index.js';
import type { CachePass } from './attention-cache.js';
import type { Initializer } from './init.js';

let nextParameter = 0;

/** A tensor that a module owns: a weight to train, or a buffer that the forward pass updates. */
export class Parameter {
  /** The placeholder that stands for the parameter in every graph. */
  readonly tensor: Tensor;
  /** Makes the starting value; an architecture may set it after its layers are made. */
  init: Initializer;
  /** `buffer`: not trained and saved with the weights, such as running statistics. */
  readonly kind: 'weight' | 'buffer';
  /** Whether an optimizer may move it. Always false for buffers. */
  trainable: boolean;
  /** Whether the forward pass moves it while training. Always false for weights. */
  updated: boolean;

  constructor(
    shape: Shape,
    init: Initializer,
    { kind = 'weight', dtype = 'float32' }: { kind?: 'weight' | 'buffer'; dtype?: DType } = {},
  ) {
    this.tensor = input(`parameter:${nextParameter++}`, dtype, shape);
    this.init = init;
    this.kind = kind;
    this.trainable = kind === 'weight';
    this.updated = kind === 'buffer';
  }
}

/** What a forward pass is told, and where it leaves new values of buffers. */
export class Context {
  /** Training mode: dropout drops, batch norm may use batch statistics. */
  readonly training: boolean;
  /** New values of buffers, to be applied after the step. */
  readonly updates = new Map<Tensor, Tensor>();
  /** Keys and values of earlier tokens, while text is generated. */
  readonly cache: CachePass | null;
  private readonly key: Tensor | null;
  private sites = 0;

  /** @param options.key random key of this step (int32[2]); needed when something random is used */
  constructor({
    training,
    key = null,
    cache = null,
  }: {
    training: boolean;
    key?: Tensor | null;
    cache?: CachePass | null;
  }) {
    this.training = training;
    this.cache = cache;
    this.key = key;
  }

  /**
   * A key of its own for each place that asks, in the order of the forward pass.
   * @throws ConfigError when the context was made without a key
   */
  randomKey(): Tensor {
    if (!this.key) {
      throw new ConfigError(
        'Context: a random number is asked for, but the context has no key. Pass { key } when training with dropout.',
      );
    }
    return foldIn(this.key, this.sites++);
  }
}

/** Base of layers and models. Subclasses hold Parameters, Modules and arrays of Modules as fields. */
export abstract class Module {
  /** Builds the graph of the output. */
  abstract forward(x: Tensor, context: Context): Tensor;

  /** Modules that are fields of this one, by field name; arrays count as `name.0`, `name.1`, ... */
  children(): Map<string, Module> {
    const found = new Map<string, Module>();
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) found.set(name, value);
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) {
          if (item instanceof Module) found.set(`${name}.${i}`, item);
        }
      }
    }
    return found;
  }

  /**
   * Parameters and buffers by path, in the order in which they are declared. One that several
   * modules share (tied embeddings) is listed once, under its first path.
   */
  parameters(): Map<string, Parameter> {
    const found = new Map<string, Parameter>();
    const seen = new Set<Parameter>();
    const visit = (module: Module, prefix: string) => {
      for (const [name, value] of Object.entries(module)) {
        if (value instanceof Parameter && !seen.has(value)) {
          seen.add(value);
          found.set(prefix + name, value);
        }
      }
      for (const [name, child] of module.children()) visit(child, `${prefix}${name}.`);
    };
    visit(this, '');
    return found;
  }

  /**
   * Makes parameters trainable or not.
   * @param match which paths; all of them by default
   */
  setTrainable(trainable: boolean, match: (path: string) => boolean = () => true): void {
    for (const [path, p] of this.parameters()) {
      if (p.kind === 'weight' && match(path)) p.trainable = trainable;
    }
  }
}

/** Values of a module's parameters and buffers, by path. */
export type Weights = Map<string, HostTensor>;

/**
 * Initial values of all parameters. Each draws from a key of its own path, so adding a layer does
 * not change the others.
 * @param match which paths, such as those of a new head; all of them by default
 */
export function initialize(
  module: Module,
  seed: number,
  match: (path: string) => boolean = () => true,
): Weights {
  const root = makeKey(seed);
  const weights: Weights = new Map();
  for (const [path, p] of module.parameters()) {
    if (match(path)) weights.set(path, p.init(foldKey(root, path), p.tensor.shape, p.tensor.dtype));
  }
  return weights;
}

/**
 * Checks that `weights` holds exactly the parameters of `module`.
 * @throws ConfigError listing every missing, unexpected and misshapen tensor
 */
export function checkWeights(module: Module, weights: ReadonlyMap<string, HostTensor>): void {
  const parameters = module.parameters();
  const missing = [...parameters.keys()].filter((path) => !weights.has(path));
  const unexpected = [...weights.keys()].filter((path) => !parameters.has(path));
  const misshapen = [...parameters].flatMap(([path, { tensor }]) => {
    const value = weights.get(path);
    if (!value || (sameShape(value.shape, tensor.shape) && value.dtype === tensor.dtype)) return [];
    return [`${path} is ${formatType(value)}, expected ${formatType(tensor)}`];
  });
  if (missing.length + unexpected.length + misshapen.length > 0) {
    throw new ConfigError(
      `The weights do not fit the model. Missing: ${missing.join(', ') || 'none'}. Unexpected: ${unexpected.join(', ') || 'none'}. Other type: ${misshapen.join('; ') || 'none'}.`,
      { missing, unexpected, misshapen },
    );
  }
}
