/**
 * What may happen to a text in training: words left out, words that change places. From EDA (Wei
 * and Zou 2019, arXiv 1901.11196), without its synonyms, which need a dictionary of the language.
 */
import { ConfigError, DataError } from '../../errors.js';
import type { KeyedRandom } from '../../util/index.js';

/** How much a text is changed. */
export interface TextAugmentation {
  /** Chance of each word to be left out. */
  readonly wordDropout: number;
  /** Swaps of two words, as a share of the number of words. */
  readonly wordSwap: number;
}

/** Names of presets. */
export const TEXT_AUGMENTATIONS = ['none', 'light', 'default'] as const;

/** A preset of text augmentation. */
export type TextAugmentationName = (typeof TEXT_AUGMENTATIONS)[number];

/**
 * The presets. 0.1 is what EDA recommends for sets of some thousand texts, 0.05 for larger ones.
 */
const PRESETS: Readonly<Record<TextAugmentationName, TextAugmentation>> = {
  none: { wordDropout: 0, wordSwap: 0 },
  light: { wordDropout: 0.05, wordSwap: 0.05 },
  default: { wordDropout: 0.1, wordSwap: 0.1 },
};

/**
 * A preset by its name.
 * @throws ConfigError for a name that is none
 */
export function textAugmentation(name: string): TextAugmentation {
  if (Object.hasOwn(PRESETS, name)) return PRESETS[name as TextAugmentationName];
  throw new ConfigError(
    `There is no text augmentation "${name}"; there are ${TEXT_AUGMENTATIONS.join(', ')}.`,
    { name },
  );
}

/** Leaves each word out with a chance; at least one stays, a random one. */
export function dropWords(
  words: readonly string[],
  random: KeyedRandom,
  chance: number,
): readonly string[] {
  const kept = words.filter((_, i) => !random.bernoulli(i, chance));
  if (kept.length > 0 || words.length === 0) return kept;
  return [words[random.fold('kept').integer(0, words.length)]!];
}

/** Lets `swaps` random pairs of different places change their words. */
export function swapWords(words: readonly string[], random: KeyedRandom, swaps: number): string[] {
  const moved = [...words];
  if (words.length < 2) return moved;
  for (let n = 0; n < swaps; n++) {
    const a = random.integer(2 * n, words.length);
    const b = (a + 1 + random.integer(2 * n + 1, words.length - 1)) % words.length;
    [moved[a], moved[b]] = [moved[b]!, moved[a]!];
  }
  return moved;
}

/**
 * A changed text: the same for the same key. Words are parted by white space, which becomes one
 * space where the text is changed; a text of one word stays as it is.
 * @param random keyed by seed, epoch and sample
 */
export function augmentText(
  text: string,
  random: KeyedRandom,
  { wordDropout, wordSwap }: TextAugmentation,
): string {
  const words = text.split(/\s+/u).filter((w) => w !== '');
  if (words.length < 2 || (wordDropout === 0 && wordSwap === 0)) return text;
  const swaps = wordSwap > 0 ? Math.max(1, Math.round(wordSwap * words.length)) : 0;
  const moved = swapWords(words, random.fold('swap'), swaps);
  return dropWords(moved, random.fold('drop'), wordDropout).join(' ');
}

/** Translates texts; what a model of the task translation does. */
export type TranslateTexts = (texts: readonly string[]) => Promise<readonly string[]>;

/**
 * Texts translated into another language and back (Sennrich et al. 2016): the same said in other
 * words. A text whose translation is blank stays as it is.
 * @param share of the texts that are translated, drawn by the key
 * @throws DataError `translation` when a translator gives another number of texts than it got
 */
export async function backTranslate(
  texts: readonly string[],
  { there, back }: { readonly there: TranslateTexts; readonly back: TranslateTexts },
  { random, share = 1 }: { readonly random: KeyedRandom; readonly share?: number },
): Promise<string[]> {
  const chosen = texts.flatMap((_, i) => (random.bernoulli(i, share) ? [i] : []));
  const made = [...texts];
  if (chosen.length === 0) return made;
  let current: readonly string[] = chosen.map((i) => texts[i]!);
  for (const translate of [there, back]) {
    current = await translate(current);
    if (current.length !== chosen.length) {
      throw new DataError(
        `The translator gave ${current.length} texts for ${chosen.length}. It must give one for each.`,
        { given: current.length, expected: chosen.length },
        { code: 'translation' },
      );
    }
  }
  for (const [n, i] of chosen.entries()) {
    if (current[n]!.trim() !== '') made[i] = current[n]!;
  }
  return made;
}
