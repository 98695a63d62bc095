/** Text generation by a decoder: a completion after each prompt. */
import type { TextPairSample, Tokenizer } from '../data/index.js';
import { hostTensor } from '../graph/index.js';
import { type WordLossOptions, wordLoss } from './language-modeling.js';
import {
  leadingTokens,
  type TextItem,
  type TextRow,
  type TextTask,
  tokenInputs,
} from './text-task.js';
import type { TargetTruth } from './text-to-text.js';

/** What the task is told. */
export interface PromptedTextOptions extends WordLossOptions {
  /** Ends a completion. */
  readonly endToken: number;
  /** Stands before each prompt. */
  readonly prefix?: string | undefined;
}

/** A prompt as a decoder reads it. */
export interface PromptIds {
  /** Special tokens that stand before every text. */
  readonly lead: readonly number[];
  /** The prefix and the text itself. */
  readonly text: readonly number[];
}

/** What a decoder reads of a prompt, in training and afterwards. */
export function promptIds(tokenizer: Tokenizer, text: string, prefix = ''): PromptIds {
  return {
    lead: leadingTokens(tokenizer),
    text: tokenizer.ids(prefix + text, { addSpecialTokens: false }),
  };
}

/** What is done with a text that does not fit: its prompt is cut at the front, as what comes last matters most. */
function fitted({ lead, text }: PromptIds, completion: readonly number[], most: number) {
  const room = most - lead.length;
  const kept = completion.slice(0, Math.max(1, room - 1));
  return [[...lead, ...text.slice(Math.max(0, text.length + kept.length - room))], kept] as const;
}

/**
 * The words of the completion, each after the prompt and those before it; the prompt's own words cost nothing.
 * The end token is learned as a word like any other.
 */
export function promptedText({
  endToken,
  prefix = '',
  ...loss
}: PromptedTextOptions): TextTask<TextPairSample, TargetTruth> {
  const { score, ...shared } = wordLoss(loss);
  return {
    ...shared,
    name: 'text-generation',
    score: ({ rows }) => score({ rows, truth: rows.map(() => null) }),
    head: 'causal-lm',
    item: ({ source, target }, { tokenizer, maxTokens }): TextItem => {
      const asked = promptIds(tokenizer, source, prefix);
      const answer = [...tokenizer.ids(target, { addSpecialTokens: false }), endToken];
      const [prompt, completion] = fitted(asked, answer, maxTokens);
      const all = asked.lead.length + asked.text.length + answer.length;
      return {
        ids: Int32Array.from([...prompt, ...completion]),
        typeIds: null,
        labels: Int32Array.of(prompt.length),
        truncated: all - prompt.length - completion.length,
      };
    },
    truth: ({ target, references }) => ({ references: references ?? [target] }),
    inputs: tokenInputs,
    targets: (rows: readonly TextRow[], { tokens }) => {
      const targets = new Int32Array(rows.length * tokens);
      const weights = new Float32Array(rows.length * tokens);
      for (const [r, row] of rows.entries()) {
        if (!row) continue;
        targets.set(row.ids.subarray(1), r * tokens);
        // The last word of the prompt is asked for the first one of the completion.
        const first = Math.max(0, row.labels[0]! - 1);
        weights.fill(1, r * tokens + first, r * tokens + row.ids.length - 1);
      }
      return {
        targets: hostTensor('int32', [rows.length, tokens], targets),
        weights: hostTensor('float32', [rows.length, tokens], weights),
      };
    },
  };
}
