/** Text generation by a decoder: a completion after each prompt. */
import type { TextPairSample } from '../data/index.js';
import { hostTensor } from '../graph/index.js';
import { type WordLossOptions, wordLoss } from './language-modeling.js';
import { type TextItem, type TextRow, type TextTask, tokenInputs } from './text-task.js';
import type { TargetTruth } from './text-to-text.js';

/** What the task is told. */
export interface PromptedTextOptions extends WordLossOptions {
  /** Ends a completion. */
  readonly endToken: number;
  /** Stands before each prompt. */
  readonly prefix?: string | undefined;
}

/** What is done with a text that does not fit: its prompt is cut at the front, as what comes last matters most. */
function fitted(prompt: readonly number[], completion: readonly number[], most: number) {
  const kept = completion.slice(0, Math.max(1, most - 1));
  return [prompt.slice(Math.max(0, prompt.length + kept.length - most)), kept] as const;
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
      const ids = (text: string) => tokenizer.ids(text, { addSpecialTokens: false });
      const all = [ids(prefix + source), [...ids(target), endToken]] as const;
      const [prompt, completion] = fitted(all[0], all[1], maxTokens);
      return {
        ids: Int32Array.from([...prompt, ...completion]),
        typeIds: null,
        labels: Int32Array.of(prompt.length),
        truncated: all[0].length + all[1].length - prompt.length - completion.length,
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
