/** Token classification: a tag for each word, such as those of named entities. */
import { schemeOfLabels, type TaggedWords } from '../data/index.js';
import { hostTensor } from '../graph/index.js';
import { type EntityScheme, entityScores } from '../metrics/index.js';
import { argmax, cast, crossEntropy, sum } from '../ops/index.js';
import type { Metrics } from './define-task.js';
import { maskOf, type TextItem, type TextRow, type TextTask, tokenInputs } from './text-task.js';

/** The tags of a sentence, and where its words begin. */
export interface TaggedTruth {
  /** One a word. */
  readonly tags: readonly number[];
  /** Position of the first token of each word; -1 for words that were cut off or have no token. */
  readonly places: Int32Array;
}

/** Label of tokens that are no first token of a word. */
const IGNORED = -1;

/**
 * Position of the first token of each of `words` words; -1 where none is left of it, and for a word that the
 * tokenizer makes nothing of, such as a lone zero-width space.
 */
export function wordPlaces(wordIds: readonly (number | null)[], words: number): Int32Array {
  const places = new Int32Array(words).fill(-1);
  for (const [at, word] of wordIds.entries()) {
    if (word !== null && places[word] === -1) places[word] = at;
  }
  return places;
}

/** Tags of the words of a sentence; words without a token have that of `outside`. */
export function tagsAt(
  predicted: ArrayLike<number>,
  places: Int32Array,
  outside: number,
): number[] {
  return Array.from(places, (at) => (at < 0 ? outside : predicted[at]!));
}

/**
 * How the tags that a model gives are read: by the scheme of its labels; IOB1, IOB2 and IOBES as the
 * scorers read them, broken ones too. What marks no entities is read word by word.
 * @param labels names of the tags, in any order
 */
export function entityScheme(labels: readonly string[]): EntityScheme {
  const scheme = schemeOfLabels(labels);
  return scheme === 'plain' || scheme === 'BILOU' ? scheme : 'lenient';
}

/**
 * A tag for each word, learned and read at its first token, as the words are found by `word_ids` and
 * not by marks in the tokens. Scores are of whole entities, as seqeval has them: `f1`, `precision`, `recall`;
 * and `accuracy` of the words' tags. Tags that mark no entities, such as parts of speech, have `accuracy`,
 * by which the best weights are chosen, and the macro average of `f1` over the tags.
 * @param tags names of the tags in the order of the logits
 * @param options.labelSmoothing share of the target spread over the tags while training, 0 to 1. Defaults to 0.
 */
export function tokenClassification(
  tags: readonly string[],
  { labelSmoothing = 0 }: { readonly labelSmoothing?: number } = {},
): TextTask<TaggedWords, TaggedTruth> {
  const outside = Math.max(0, tags.indexOf('O'));
  const scheme = entityScheme(tags);
  return {
    name: 'token-classification',
    primary: { metric: scheme === 'plain' ? 'accuracy' : 'f1', better: 'higher' },
    head: 'token-classification',
    item: ({ words, tags: labels }, { tokenizer, maxTokens }): TextItem => {
      const { ids, wordIds, truncated } = tokenizer.encodeWords(words, { maxLength: maxTokens });
      const own = new Int32Array(ids.length).fill(IGNORED);
      const places = wordPlaces(wordIds, words.length);
      for (const [word, at] of places.entries()) if (at >= 0) own[at] = labels[word]!;
      return { ids: Int32Array.from(ids), typeIds: null, labels: own, places, truncated };
    },
    inputs: tokenInputs,
    targets: (rows: readonly TextRow[], { tokens }) => {
      const labels = new Int32Array(rows.length * tokens);
      const weights = maskOf(
        rows.map(() => 0),
        tokens,
        'float32',
      );
      for (const [r, row] of rows.entries()) {
        for (const [t, label] of row?.labels.entries() ?? []) {
          if (label === IGNORED) continue;
          labels[r * tokens + t] = label;
          weights.data[r * tokens + t] = 1;
        }
      }
      return { targets: hostTensor('int32', [rows.length, tokens], labels), weights };
    },
    loss: (logits, { targets, weights }) => ({
      loss: crossEntropy(logits, targets!, { weights: weights!, reduction: 'sum', labelSmoothing }),
      weight: sum(weights!),
    }),
    keep: (logits) => cast(argmax(logits, -1), 'float32'),
    truth: ({ tags: labels }, { places }) => ({ tags: labels, places: places! }),
    score: ({ rows, truth }): Metrics => {
      const names = (indices: readonly number[]) => indices.map((i) => tags[i]!);
      const right = truth.map(({ tags: labels }) => names(labels));
      const found = truth.map(({ places }, i) => names(tagsAt(rows[i]!.data, places, outside)));
      const scores = entityScores(right, found, scheme);
      const { accuracy } = scores;
      if (scheme === 'plain') return { accuracy, f1: scores.macro.f1 };
      const { f1, precision, recall } = scores;
      return { f1, precision, recall, accuracy };
    },
  };
}
