/** The data sets and bases of the vision table, with sizes that two processor cores can bear. */

/** One data set and how much of it a run sees. */
export interface VisionSet {
  readonly name: string;
  /** Below the data folder. */
  readonly folder: string;
  readonly classes: number;
  /** Side of the model's input, pixels. */
  readonly size: number;
  readonly epochs: number;
  /**
   * What is reported. `test`: the model of the best validated pass, on a test part that chose nothing.
   * `last`: there is no test part, so the last pass is scored on the validation part, and no pass is chosen by it.
   */
  readonly scored: 'test' | 'last';
  /** The metrics that have a row. */
  readonly metrics: readonly ('accuracy' | 'auroc')[];
  /** For people. */
  readonly what: string;
}

/** Three seeds give an interval; they draw heads, batches, augmentation and splits. */
export const SEEDS: readonly number[] = [1, 2, 3];

export const SETS: readonly VisionSet[] = [
  {
    name: 'hymenoptera',
    folder: 'hymenoptera',
    classes: 2,
    size: 224,
    epochs: 5,
    scored: 'last',
    metrics: ['accuracy'],
    what: 'ants and bees, 245 photographs, scored on the 153 of valid/',
  },
  {
    name: 'amazon',
    folder: 'office_caltech10/amazon',
    classes: 10,
    size: 128,
    epochs: 5,
    scored: 'last',
    metrics: ['accuracy'],
    what: 'Office-Caltech Amazon, 958 product pictures, scored on a fifth that the seed draws',
  },
  {
    name: 'pneumonia',
    folder: 'pneumoniamnist',
    classes: 2,
    size: 64,
    epochs: 3,
    scored: 'test',
    metrics: ['accuracy', 'auroc'],
    what: 'PneumoniaMNIST, 3,882 chest X-rays of 28 x 28, scored on the 624 of test/',
  },
  {
    name: 'cifar',
    folder: 'cifar10_6k',
    classes: 10,
    size: 64,
    epochs: 3,
    scored: 'test',
    metrics: ['accuracy'],
    what: 'CIFAR-10 sample, 5,000 pictures of 32 x 32, scored on the 1,000 of test/',
  },
];

/** A base that is compared. */
export interface VisionBase {
  readonly name: string;
  /** What `--base` takes. @param data the data folder */
  readonly path: (data: string) => string;
}

/** The base in the package, and the strongest one among the weights beside the data. */
export const BASES: readonly VisionBase[] = [
  { name: 'graft/mobilenet_v2', path: () => 'graft/mobilenet_v2' },
  { name: 'mobilenet_v2_1.0_224', path: (data) => `${data}/weights/mobilenet_v2_1.0_224` },
];

/** A result of other software on the same pictures. */
export interface Anchor {
  readonly set: string;
  readonly base: string;
  readonly name: string;
  readonly accuracy: number;
  /** What ours is held to. */
  readonly goal: number;
  readonly note: string;
}

/** Figures of the data folder's README: only hymenoptera's is of the same task and split. */
export const ANCHORS: readonly Anchor[] = [
  {
    set: 'hymenoptera',
    base: 'mobilenet_v2_1.0_224',
    name: 'hymenoptera, linear probe',
    accuracy: 0.941,
    goal: 0.92,
    note: 'peer: linear probe in PyTorch on the same frozen base; goal: accuracy >= 0.92',
  },
];
