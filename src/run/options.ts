/** What a person can choose of a run; everything else follows from it. */
import {
  AUGMENTATIONS,
  TEXT_AUGMENTATIONS,
  TEXT_PROBLEMS,
  TEXT_TASKS,
  type TextProblem,
  type TextTaskName,
} from '../data/index.js';
import { ConfigError } from '../errors.js';
import { findMethod, type Phase, SCHEDULES } from '../methods/index.js';
import { OPTIMIZERS, type OptimizerChoice } from '../train/index.js';

/** What a run learns. */
export type RunTask = 'image-classification' | TextTaskName;

/** All of them. */
export const RUN_TASKS: readonly RunTask[] = ['image-classification', ...TEXT_TASKS];

/** Choices of a run that are kept in its folder; with the data and the base they repeat it. */
export interface FitChoices {
  /** Folder or list of labelled pictures, or of texts. */
  readonly data: string;
  readonly task: RunTask;
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
  /** Share of a phase in which the rate rises; absent: the method's own. */
  readonly warmup?: number | undefined;
  /** How the rate falls; absent: the method's own. */
  readonly schedule?: Phase['schedule'] | undefined;
  /** Factor of the rate from one layer to the one below; absent: the method's own. */
  readonly layerDecay?: number | undefined;
  /** Name of a preset. */
  readonly augment: string;
  /** Texts: two translators, `THERE,BACK`, by which every other pass or so reads a text in other words. */
  readonly backTranslate?: string | undefined;
  /** Pictures: side of the model's square input in pixels; absent: the base's own. */
  readonly size?: number | undefined;
  /** Texts: the most tokens; absent: what the base takes, up to a limit. */
  readonly maxLength?: number | undefined;
  /** Texts: layers at the top of the trunk that start anew. */
  readonly reinitLayers?: number | undefined;
  /** Texts to texts: what the model is told to do, before each source. */
  readonly prefix?: string | undefined;
  /** Texts: a file of tokens, one a line, that the base learns beside its own. */
  readonly addTokens?: string | undefined;
  /** Texts with labels: what these are; absent: what their values say. Ratings from 1 to 5 are classes or numbers. */
  readonly problem?: TextProblem | undefined;
  /** Language modelling: guess the next word (`clm`) or masked words (`mlm`); absent: what the base does. */
  readonly objective?: 'mlm' | 'clm' | undefined;
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

/** The bases in the package that are taken where none is named. */
export const EMBEDDED_BASE = { image: 'graft/mobilenet_v2', text: 'graft/minilm' } as const;

/** What a model reads for a task. */
export function modalityOf(task: RunTask): 'image' | 'text' {
  return task === 'image-classification' ? 'image' : 'text';
}

const COMMON: Omit<FitChoices, 'data' | 'task' | 'base' | 'epochs' | 'augment'> = {
  method: 'fine-tune',
  batch: 16,
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

/** What is used where nothing is chosen. */
export function fitDefaults(task: RunTask): Omit<FitChoices, 'data'> {
  const modality = modalityOf(task);
  return {
    ...COMMON,
    task,
    base: EMBEDDED_BASE[modality],
    // Transformers are tuned in few passes: Devlin et al., "BERT", 2018.
    epochs: modality === 'image' ? 6 : 3,
    augment: modality === 'image' ? 'default' : 'none',
  };
}

/** Names of all choices. */
export const CHOICE_KEYS: ReadonlySet<string> = new Set([
  ...Object.keys(fitDefaults('image-classification')),
  'data',
  'cut',
  'valid',
  'lr',
  'warmup',
  'schedule',
  'layerDecay',
  'size',
  'maxLength',
  'reinitLayers',
  'prefix',
  'addTokens',
  'objective',
  'backTranslate',
  'problem',
  'ema',
  'patience',
]);

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

/** Choices that mean nothing to what a model of the other kind reads. */
const OWN = {
  image: ['size', 'cut'],
  text: [
    'maxLength',
    'reinitLayers',
    'prefix',
    'addTokens',
    'objective',
    'problem',
    'backTranslate',
  ],
} as const satisfies Record<string, readonly (keyof FitChoices)[]>;

function checkModality(c: FitChoices): void {
  const [own, other, named] =
    modalityOf(c.task) === 'image'
      ? (['pictures', OWN.text, 'texts'] as const)
      : (['texts', OWN.image, 'pictures'] as const);
  for (const name of other) {
    if (c[name] === undefined) continue;
    throw new ConfigError(`${name} is for ${named}, and ${c.data} is of ${own}. Leave it out.`, {
      [name]: c[name],
    });
  }
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
  if (c.patience !== undefined && c.valid === 0) {
    throw new ConfigError(
      'patience counts passes without a better model on the validation part, and valid is 0: there is none. Leave one of the two out.',
      { patience: c.patience },
    );
  }
  if (c.addTokens !== undefined && c.method === 'feature-extraction') {
    throw new ConfigError(
      'addTokens is for methods that train the tables of words, and feature-extraction freezes them: new tokens would mean nothing. Choose another method.',
      { addTokens: c.addTokens, method: c.method },
    );
  }
  number('seed', c.seed, (n) => n === (n | 0), 'a 32-bit whole number');
  if (typeof c.valid === 'number') {
    number('valid', c.valid, (n) => n >= 0 && n < 1, 'a share from 0 (none) to 1, or a path');
  }
  number('warmup', c.warmup, (n) => n >= 0 && n < 1, 'a share of the steps from 0 to 1');
  number('layerDecay', c.layerDecay, (n) => n > 0 && n <= 1, 'a factor above 0, up to 1');
  number(
    'maxLength',
    c.maxLength,
    (n) => count(n) && n >= 8 && n <= 65536,
    'a number of tokens from 8',
  );
  number('reinitLayers', c.reinitLayers, (n) => n === 0 || count(n), 'a number of layers');
  if (c.schedule !== undefined) oneOf('schedule', c.schedule, SCHEDULES);
  if (c.objective !== undefined) oneOf('objective', c.objective, ['mlm', 'clm']);
  if (c.problem !== undefined) oneOf('problem', c.problem, TEXT_PROBLEMS);
  oneOf('task', c.task, RUN_TASKS);
  findMethod(c.method);
  checkModality(c);
  const isText = modalityOf(c.task) === 'text';
  oneOf('augment', c.augment, isText ? TEXT_AUGMENTATIONS : Object.keys(AUGMENTATIONS));
  oneOf('optimizer', c.optimizer, OPTIMIZERS);
  oneOf('classWeights', c.classWeights, ['none', 'balanced']);
}
