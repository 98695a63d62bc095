/** Language modelling: the next word, or words behind masks. */
import type { TextSample } from '../data/index.js';
import { hostTensor, type Tensor } from '../graph/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { crossEntropy, mul, reshape, stack, sum } from '../ops/index.js';
import { hashText, KeyedRandom } from '../util/index.js';
import type { Row, TaskDefinition } from './define-task.js';
import {
  maskOf,
  type TextItem,
  type TextPlace,
  type TextRow,
  type TextTask,
  tokenInputs,
} from './text-task.js';

/** A piece of text of a fixed number of tokens, or the end of one. */
export interface TokenBlock extends TextSample {
  readonly ids: Int32Array;
}

/** How words are learned. */
export interface WordLossOptions {
  /** Share of the target spread over the vocabulary while training, 0 to 1. Defaults to 0. */
  readonly labelSmoothing?: number | undefined;
}

/** Loss and scores that all language models share, an encoder-decoder's too. */
export function wordLoss({
  labelSmoothing = 0,
}: WordLossOptions = {}): Pick<TaskDefinition<null>, 'primary' | 'loss' | 'keep' | 'score'> {
  return {
    primary: { metric: 'perplexity', better: 'lower' },
    loss: (logits, { targets, weights }) => ({
      loss: crossEntropy(logits, targets!, { weights: weights!, reduction: 'sum', labelSmoothing }),
      weight: sum(weights!),
    }),
    // Logits of a whole vocabulary are far too many to be kept: the sums of a row are enough.
    keep: (logits, { targets, weights, [TEXT_INPUTS.mask]: mask }) => {
      const losses = mul(crossEntropy(logits, targets!, { reduction: 'none' }), weights!);
      const rows = mask!.shape[0]!;
      const byRow = (t: Tensor) => sum(reshape(t, [rows, t.size / rows]), { axes: 1 });
      return stack([byRow(losses), byRow(weights!)], 1);
    },
    score: ({ rows }) => wordScores(rows),
  };
}

/** `loss` (nats a token) and `perplexity` from [loss, tokens] a row. */
function wordScores(rows: readonly Row[]) {
  let [loss, tokens] = [0, 0];
  for (const { data } of rows) {
    loss += data[0]!;
    tokens += data[1]!;
  }
  return { logLoss: loss / tokens, perplexity: Math.exp(loss / tokens) };
}

const blockItem = ({ ids }: TokenBlock): TextItem => ({
  ids,
  typeIds: null,
  labels: ids,
  truncated: 0,
});

/** The next word after each word. Labels are shifted here, and nowhere else. */
export function causalLanguageModeling(options: WordLossOptions = {}): TextTask<TokenBlock, null> {
  return {
    ...wordLoss(options),
    name: 'language-modeling',
    head: 'causal-lm',
    item: blockItem,
    truth: () => null,
    inputs: tokenInputs,
    targets: (rows: readonly TextRow[], { tokens }) => {
      const targets = new Int32Array(rows.length * tokens);
      for (const [r, row] of rows.entries()) if (row) targets.set(row.ids.subarray(1), r * tokens);
      return {
        targets: hostTensor('int32', [rows.length, tokens], targets),
        weights: maskOf(
          rows.map((row) => Math.max(0, (row?.ids.length ?? 0) - 1)),
          tokens,
          'float32',
        ),
      };
    },
  };
}

/** What masking is told. */
export interface MaskingOptions extends WordLossOptions {
  readonly maskToken: number;
  /** Size of the vocabulary that random words are drawn from. */
  readonly vocabularySize: number;
  /** Tokens that are never masked: those with a purpose. */
  readonly specialTokens: ReadonlySet<number>;
}

/** Share of the tokens that are guessed, and what they are replaced by: Devlin et al., BERT, 2018. */
const MASKED_SHARE = 0.15;
const REPLACED_BY_MASK = 0.8;
const REPLACED_BY_WORD = 0.1;

/** One text with some of its words hidden. */
interface Masked {
  readonly ids: Int32Array;
  /** Positions that are asked for, ascending. */
  readonly asked: readonly number[];
}

function mask(ids: Int32Array, random: KeyedRandom, options: MaskingOptions): Masked {
  const places = [...ids.keys()].filter((i) => !options.specialTokens.has(ids[i]!));
  const count = Math.min(places.length, Math.max(1, Math.round(MASKED_SHARE * places.length)));
  const order = random.fold('places').permutation(places.length);
  const asked = order
    .slice(0, count)
    .map((i) => places[i]!)
    .sort((a, b) => a - b);
  const out = ids.slice();
  for (const at of asked) {
    const draw = random.uniform(at);
    if (draw < REPLACED_BY_MASK) out[at] = options.maskToken;
    else if (draw < REPLACED_BY_MASK + REPLACED_BY_WORD) {
      out[at] = random.fold('words').integer(at, options.vocabularySize);
    }
  }
  return { ids: out, asked };
}

/** The most places asked for in a text of so many tokens. */
const mostAsked = (tokens: number) => Math.max(1, Math.round(MASKED_SHARE * tokens));

/**
 * Words behind masks, drawn anew in every pass (RoBERTa); in evaluation always the same ones. Logits are
 * made at the asked places only.
 */
export function maskedLanguageModeling(options: MaskingOptions): TextTask<TokenBlock, null> {
  const maskedRows = (rows: readonly TextRow[], { random }: TextPlace) =>
    rows.map((row, r) => {
      const key = random?.(r) ?? KeyedRandom.of(0).fold(hashText(row?.ids.join() ?? ''));
      return row && mask(row.ids, key.fold('mask'), options);
    });
  return {
    ...wordLoss(options),
    name: 'language-modeling',
    head: 'masked-lm',
    item: blockItem,
    truth: () => null,
    inputs: (rows, place) => {
      const masked = maskedRows(rows, place);
      const hidden = rows.map((row, r) => row && { ...row, ids: masked[r]!.ids });
      const most = mostAsked(place.tokens);
      const asked = new Int32Array(rows.length * most);
      for (const [r, row] of masked.entries()) {
        for (const [i, at] of row?.asked.entries() ?? [])
          asked[r * most + i] = r * place.tokens + at;
      }
      return {
        ...tokenInputs(hidden, place),
        [TEXT_INPUTS.asked]: hostTensor('int32', [asked.length], asked),
      };
    },
    targets: (rows, place) => {
      const most = mostAsked(place.tokens);
      const targets = new Int32Array(rows.length * most);
      const weights = new Float32Array(rows.length * most);
      for (const [r, row] of maskedRows(rows, place).entries()) {
        for (const [i, at] of row?.asked.entries() ?? []) {
          targets[r * most + i] = rows[r]!.ids[at]!;
          weights[r * most + i] = 1;
        }
      }
      return {
        targets: hostTensor('int32', [targets.length], targets),
        weights: hostTensor('float32', [weights.length], weights),
      };
    },
  };
}
