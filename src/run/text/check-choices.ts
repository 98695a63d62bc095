/** Choices that mean nothing to a kind of data: they are refused, since a person would think that they did something. */
import type { AnyTextDataset } from '../../data/index.js';
import { ConfigError } from '../../errors.js';
import type { FitChoices } from '../options.js';

type Kind = AnyTextDataset['kind'];

/** What a choice is for. */
interface Scope {
  readonly kinds: ReadonlySet<Kind>;
  /** The kinds, for people. */
  readonly named: string;
  readonly isSet: (choices: FitChoices) => boolean;
}

const scope = (named: string, isSet: Scope['isSet'], ...kinds: Kind[]): Scope => ({
  kinds: new Set(kinds),
  named,
  isSet,
});

const SCOPES: Partial<Record<keyof FitChoices, Scope>> = {
  classWeights: scope('texts of one class each', (c) => c.classWeights !== 'none', 'single-label'),
  labelSmoothing: scope(
    'texts of one class each, tags of words, and words themselves',
    (c) => c.labelSmoothing > 0,
    ...(['single-label', 'tags', 'plain', 'pairs'] as const),
  ),
  augment: scope(
    'texts with classes or scores',
    (c) => c.augment !== 'none',
    ...(['single-label', 'multi-label', 'regression'] as const),
  ),
  backTranslate: scope(
    'texts with classes or scores',
    (c) => c.backTranslate !== undefined,
    ...(['single-label', 'multi-label', 'regression'] as const),
  ),
  problem: scope(
    'text-classification',
    (c) => c.problem !== undefined,
    ...(['single-label', 'multi-label', 'regression'] as const),
  ),
  objective: scope('language-modeling', (c) => c.objective !== undefined, 'plain'),
  prefix: scope(
    'translation, summarization and text-generation',
    (c) => c.prefix !== undefined,
    'pairs',
  ),
};

/** Kinds whose task has other kinds too. */
const DETAIL: Partial<Record<Kind, string>> = {
  'multi-label': ' with several classes a text',
  regression: ' with a number a text',
};

/** @throws ConfigError when a choice means nothing to the data */
export function checkFits(
  { kind, task }: Pick<AnyTextDataset, 'kind' | 'task'>,
  choices: FitChoices,
): void {
  for (const [name, { kinds, named, isSet }] of Object.entries(SCOPES)) {
    if (kinds.has(kind) || !isSet(choices)) continue;
    throw new ConfigError(
      `${name} is for ${named}; this data is for ${task}${DETAIL[kind] ?? ''}. Leave it out.`,
      { [name]: choices[name as keyof FitChoices], task },
    );
  }
}

/** Choices that change texts from pass to pass. */
const VARIES = ['augment', 'backTranslate'] as const;

/** @throws ConfigError when texts are to change from pass to pass, and the method reads each once */
export function checkMethod(choices: FitChoices): void {
  const varied = VARIES.find((name) => SCOPES[name]!.isSet(choices));
  if (varied === undefined || choices.method !== 'feature-extraction') return;
  throw new ConfigError(
    `${varied} makes other texts for each pass, and feature-extraction reads each text once and keeps what the base says of it. Leave it out, or choose another method.`,
    { [varied]: choices[varied], method: choices.method },
  );
}
