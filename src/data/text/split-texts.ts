/** Splits a validation part off texts, without the same text on both sides. */
import { KeyedRandom } from '../../util/index.js';
import { stratifiedSplit } from '../split.js';
import type { TextKind } from './dataset.js';
import type { PlacedDraft } from './placed-drafts.js';

/** What is split. */
export interface SplitTexts<K extends TextKind> {
  readonly train: readonly PlacedDraft<K>[];
  readonly valid: readonly PlacedDraft<K>[];
  /** In words, how. */
  readonly text: string;
}

/** What is held out, by the share asked for. */
export interface SplitChoice {
  readonly fraction: number;
  readonly seed: number;
  /** True for running text: its end is held out, not texts from everywhere. */
  readonly running: boolean;
}

/** The class to count a sample for: its rarest, so that rare ones reach both parts. */
function strata<K extends TextKind>(kind: K, drafts: readonly PlacedDraft<K>[]): number[] {
  if (kind !== 'single-label' && kind !== 'multi-label') return drafts.map(() => 0);
  const counts = new Map<string, number>();
  for (const { names } of drafts) {
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const numbers = new Map([...counts.keys()].map((name, i) => [name, i + 1]));
  return drafts.map(({ names }) => {
    let rarest: string | undefined;
    for (const name of names) {
      if (rarest === undefined || counts.get(name)! < counts.get(rarest)!) rarest = name;
    }
    return rarest === undefined ? 0 : numbers.get(rarest)!;
  });
}

const share = (fraction: number): number => Number((fraction * 100).toFixed(2));

/**
 * Running text: its last share, from the first text that was not there before. Neighbours tell of
 * each other, so that texts held out from everywhere would make a model look better than it is.
 */
function heldOutEnd<K extends TextKind>(
  drafts: readonly PlacedDraft<K>[],
  fraction: number,
): SplitTexts<K> {
  const count = Math.min(drafts.length - 1, Math.max(1, Math.round(drafts.length * fraction)));
  const before = drafts.slice(0, drafts.length - count);
  const seen = new Set(before.map((d) => d.mark));
  const rest = drafts.slice(drafts.length - count);
  const valid = rest.filter((d) => !seen.has(d.mark));
  const train = [...before, ...rest.filter((d) => seen.has(d.mark))];
  return {
    train,
    valid,
    text: `the last ${share(fraction)} %, without what is said before: ${train.length} texts to train, ${valid.length} to validate`,
  };
}

/**
 * Holds out a share: of each class where there are classes. Samples with one key (the same text;
 * the questions of one context) stay on one side. Which are held out depends on the seed and the
 * texts, not on their order.
 */
export function splitTexts<K extends TextKind>(
  kind: K,
  drafts: readonly PlacedDraft<K>[],
  { fraction, seed, running }: SplitChoice,
): SplitTexts<K> {
  if (drafts.length < 2) {
    return { train: drafts, valid: [], text: 'one sample only, nothing to validate' };
  }
  if (running) return heldOutEnd(drafts, fraction);
  const labels = strata(kind, drafts);
  const random = KeyedRandom.of(seed);
  const items = drafts.map((draft, i) => ({
    // A short name for the text: stratifiedSplit sorts by it.
    id: `${random.fold(draft.lot).bits()}`,
    label: labels[i]!,
    group: draft.mark,
    lookalike: i,
  }));
  const split = stratifiedSplit(items, { fraction, seed });
  const doubles = drafts.length - new Set(drafts.map((d) => d.mark)).size;
  const words = {
    'single-label': 'of each class ',
    'multi-label': 'of each class ',
    questions: 'of the contexts ',
  };
  const of = kind in words ? words[kind as keyof typeof words] : '';
  const pick = (at: readonly number[]) => at.map((i) => drafts[i]!);
  return {
    train: pick(split.train),
    valid: pick(split.valid),
    text: `${share(fraction)} % ${of}by seed ${seed}: ${split.train.length} to train, ${split.valid.length} to validate${doubles > 0 ? `; ${doubles} with the same ${kind === 'questions' ? 'context' : 'text'} as another kept with it` : ''}`,
  };
}
