/** What the table of texts is made of. */

/** A set of texts with the budget that every method gets. */
export interface TextSet {
  readonly name: string;
  /** Below the folder with data. */
  readonly folder: string;
  readonly metric: 'accuracy' | 'f1';
  /** Other choices of the runs: tokens, passes. */
  readonly options: Readonly<Record<string, string | number>>;
  /** What is expected of the real encoder, where somebody asked for it. */
  readonly goal?: number;
}

/** How a model is made. */
export type TextMethod = 'fine-tune' | 'feature-extraction' | 'scratch';

/** Learning rates that are not the method's default: set by hand, not compared with others. */
export const METHODS: Readonly<Record<TextMethod, Readonly<Record<string, number>>>> = {
  'fine-tune': { lr: 1e-4 },
  'feature-extraction': {},
  scratch: {},
};

/** Sets, the quickest first, so that a table that is cut short has most of its rows. */
export const TEXT_SETS: readonly TextSet[] = [
  {
    name: 'trec',
    folder: 'trec/coarse',
    metric: 'accuracy',
    options: { epochs: 4, 'max-length': 64 },
    goal: 0.95,
  },
  {
    name: 'sms',
    folder: 'sms_spam',
    metric: 'f1',
    options: { epochs: 2, 'max-length': 64 },
  },
  {
    name: 'mr',
    folder: 'mr',
    metric: 'accuracy',
    options: { epochs: 2, 'max-length': 64 },
    goal: 0.84,
  },
  {
    name: 'conll',
    folder: 'conll2003',
    metric: 'f1',
    options: { epochs: 3, 'max-length': 128 },
    goal: 0.86,
  },
  {
    name: 'ag',
    folder: 'ag_news',
    metric: 'accuracy',
    options: { epochs: 2, 'max-length': 64 },
  },
  {
    name: 'amazon',
    folder: 'amazon_multidomain/kitchen',
    metric: 'accuracy',
    options: { epochs: 2, 'max-length': 128 },
  },
];

export const SEEDS = [1, 2, 3] as const;
