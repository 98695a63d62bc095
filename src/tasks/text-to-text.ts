/** Text to text: translation and summarization by an encoder-decoder. */
import type { TextPairSample } from '../data/index.js';
import { hostTensor } from '../graph/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { type WordLossOptions, wordLoss } from './language-modeling.js';
import {
  encodeTexts,
  laid,
  maskOf,
  type TextTask,
  type TextTools,
  tokenInputs,
} from './text-task.js';

/** What a task from text to text is told. */
export interface TextToTextOptions extends WordLossOptions {
  readonly name: 'translation' | 'summarization' | 'text-generation';
  /** First token of the decoder. */
  readonly decoderStart: number;
  /** Ends a target, where the tokenizer does not add it by itself. */
  readonly endToken: number;
  /** What T5 is told to do, before the source. */
  readonly prefix?: string | undefined;
}

/** What a target is: its text, and all that would be right. */
export interface TargetTruth {
  readonly references: readonly string[];
}

/** What the encoder reads of a source, in training and afterwards. */
export function sourceItem(
  tools: TextTools,
  text: string,
  prefix = '',
): ReturnType<typeof encodeTexts> {
  return encodeTexts(tools, prefix + text);
}

/**
 * The target's words, each after those before it. The loss is a mean over target tokens; while training,
 * models are compared by perplexity, since generating takes long.
 */
export function textToText({
  name,
  decoderStart,
  endToken,
  prefix = '',
  ...loss
}: TextToTextOptions): TextTask<TextPairSample, TargetTruth> {
  const { score, ...shared } = wordLoss(loss);
  return {
    ...shared,
    name,
    score: ({ rows }) => score({ rows, truth: rows.map(() => null) }),
    head: 'seq2seq-lm',
    item: ({ source, target }, tools) => {
      const { tokenizer, maxTokens } = tools;
      const written = tokenizer.target ?? tokenizer;
      const labels = Int32Array.from(written.ids(target, { maxLength: maxTokens - 1 }));
      const ended = labels.at(-1) === endToken ? labels : Int32Array.from([...labels, endToken]);
      const decoderIds = new Int32Array(ended.length);
      decoderIds.set(ended.subarray(0, -1), 1);
      decoderIds[0] = decoderStart;
      return { ...sourceItem(tools, source, prefix), typeIds: null, decoderIds, labels: ended };
    },
    truth: ({ target, references }) => ({ references: references ?? [target] }),
    inputs: (rows, place) => ({
      ...tokenInputs(rows, place),
      [TEXT_INPUTS.decoderIds]: laid(
        rows.map((r) => r?.decoderIds ?? null),
        place.decoderTokens,
        place.padToken,
      ),
    }),
    targets: (rows, { decoderTokens }) => {
      const targets = laid(
        rows.map((r) => r?.labels ?? null),
        decoderTokens,
        0,
      );
      const weights = maskOf(
        rows.map((r) => r?.labels.length ?? 0),
        decoderTokens,
        'float32',
      );
      return {
        targets,
        weights: hostTensor('float32', targets.shape, weights.data as Float32Array),
      };
    },
  };
}
