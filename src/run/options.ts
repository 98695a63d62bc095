/** What a person can choose of a run; everything else follows from it. */
import { AUGMENTATIONS, type AugmentationName } from '../data/index.js';
import { ConfigError } from '../errors.js';
import { findMethod } from '../methods/index.js';
import { OPTIMIZERS, type OptimizerChoice } from '../train/index.js';

/** Choices of a run that are kept in its folder; with the data and the base they repeat it. */
export interface FitChoices {
  /** Folder or list of labelled pictures. */
  readonly data: string;
  readonly task: 'image-classification';
  /** `org/name` on the hub, a folder, an `.onnx` file, or `graft/NAME` for one in the package. */
  readonly base: string;
  /** ONNX bases only: the value at which the trunk ends. */
  readonly cut?: string | undefined;
  readonly method: string;
  /** A folder or list of validation data, or the share of the training data that is held out, 0 for none. */
  readonly valid?: string | number | undefined;
  readonly epochs: number;
  readonly batch: number;
  /** Peak learning rate; absent: the method's own. */
  readonly lr?: number | undefined;
  readonly augment: AugmentationName;
  /** Side of the model's square input in pixels; absent: the base's own. */
  readonly size?: number | undefined;
  readonly optimizer: OptimizerChoice['name'];
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly accumulate: number;
  readonly labelSmoothing: number;
  readonly classWeights: 'none' | 'balanced';
  readonly ema?: number | undefined;
  readonly patience?: number | undefined;
  readonly seed: number;
  readonly strict: boolean;
  /** Also train the same network from random weights with the same budget. */
  readonly control: boolean;
}

/** The base in the package. */
export const EMBEDDED_BASE = 'graft/mobilenet_v2';

/** What is used where nothing is chosen. */
export const FIT_DEFAULTS: Omit<FitChoices, 'data'> = {
  task: 'image-classification',
  base: EMBEDDED_BASE,
  method: 'fine-tune',
  epochs: 6,
  batch: 16,
  augment: 'default',
  optimizer: 'adamw',
  weightDecay: 0.01,
  clipNorm: 1,
  accumulate: 1,
  labelSmoothing: 0,
  classWeights: 'none',
  seed: 0,
  strict: false,
  control: false,
};

function number(
  name: string,
  value: number | undefined,
  fits: (n: number) => boolean,
  wanted: string,
): void {
  if (value === undefined || fits(value)) return;
  throw new ConfigError(`${name} must be ${wanted}, got ${value}.`, { [name]: value });
}

function oneOf(name: string, value: string, list: readonly string[]): void {
  if (list.includes(value)) return;
  throw new ConfigError(`${name} must be one of ${list.join(', ')}; got '${value}'.`, {
    [name]: value,
  });
}

const count = (n: number) => Number.isInteger(n) && n >= 1;

/**
 * Checks every choice before anything is read or written.
 * @param checkpointEvery is no choice of the run: it changes no bit of what comes out
 * @throws ConfigError naming the choice, what it may be, and what came
 */
export function checkChoices(c: FitChoices, checkpointEvery?: number): void {
  number('checkpointEvery', checkpointEvery, count, 'a whole number >= 1');
  number('epochs', c.epochs, count, 'a whole number >= 1');
  number('batch', c.batch, (n) => count(n) && n <= 4096, 'a whole number from 1 to 4096');
  number('lr', c.lr, (n) => n > 0 && Number.isFinite(n), 'a number > 0');
  number('size', c.size, (n) => count(n) && n >= 32 && n <= 1024, 'a whole number from 32 to 1024');
  number('accumulate', c.accumulate, count, 'a whole number >= 1');
  number('weightDecay', c.weightDecay, (n) => n >= 0 && n < 10, 'a number from 0 to 10');
  number('clipNorm', c.clipNorm, (n) => n > 0, 'a number > 0');
  number('labelSmoothing', c.labelSmoothing, (n) => n >= 0 && n < 1, 'a number from 0 to 1');
  number('ema', c.ema, (n) => n > 0 && n < 1, 'a number between 0 and 1');
  number('patience', c.patience, count, 'a whole number >= 1');
  number('seed', c.seed, (n) => n === (n | 0), 'a 32-bit whole number');
  if (typeof c.valid === 'number') {
    number('valid', c.valid, (n) => n >= 0 && n < 1, 'a share from 0 (none) to 1, or a path');
  }
  oneOf('task', c.task, ['image-classification']);
  findMethod(c.method);
  oneOf('augment', c.augment, Object.keys(AUGMENTATIONS));
  oneOf('optimizer', c.optimizer, OPTIMIZERS);
  oneOf('classWeights', c.classWeights, ['none', 'balanced']);
}
