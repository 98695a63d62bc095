/** How a finished model that writes is asked: what it reads, and what a person chose. */
import type { GenerateOptions } from '../../generate/index.js';
import { promptIds, sourceItem } from '../../tasks/index.js';
import type { Asked } from './asked.js';
import type { TextRun } from './open-run.js';
import type { Budget, Writer } from './written.js';

/** How a model that writes is asked; what is not chosen is as its `generation_config.json` says. */
export interface WriteChoices {
  /** Tokens that are written at most; 64 where the model's files do not say. */
  readonly maxNewTokens?: number;
  /** Texts that are followed side by side; given alone, 1 included, it also says that no words are drawn. */
  readonly beams?: number;
  /** With one of these, words are drawn by their chances. */
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly seed?: number;
  /** Of beams: power of the length that scores are divided by. */
  readonly lengthPenalty?: number;
  /** No run of so many words comes twice. */
  readonly noRepeatNgram?: number;
  /** Factor against words that came before. */
  readonly repetitionPenalty?: number;
  /** The text ends with the first of these. */
  readonly stop?: readonly string[];
}

/** Enough for a sentence or two. */
const NEW_TOKENS = 64;

/** The choices as generation takes them. */
export function writeOptions(choices: WriteChoices): {
  readonly budget: Budget;
  readonly options: Omit<GenerateOptions, 'maxNewTokens' | 'decode'>;
} {
  const { maxNewTokens, beams, noRepeatNgram, stop, ...rest } = choices;
  const { temperature, topK, topP, minP, seed, lengthPenalty, repetitionPenalty } = rest;
  const drawn = [temperature, topK, topP, minP].some((choice) => choice !== undefined);
  return {
    budget: { asked: maxNewTokens, usual: () => NEW_TOKENS },
    options: {
      ...(drawn ? { sample: true } : {}),
      temperature,
      topK,
      topP,
      minP,
      seed,
      lengthPenalty,
      repetitionPenalty,
      numBeams: beams,
      noRepeatNgramSize: noRepeatNgram,
      stopStrings: stop,
    },
  };
}

/** A run's model as what writes. */
export function writerOf({ loaded, base, maxTokens }: TextRun): Writer {
  return { model: loaded, base, maxTokens };
}

/** Ids of what the model reads: as in training, with the prefix that it was trained with. */
export function promptsOf(run: TextRun, asked: readonly Asked[]): readonly (readonly number[])[] {
  const { base, loaded, maxTokens, choices } = run;
  const { tokenizer } = base;
  const { prefix } = choices;
  const prompts = asked.map(({ text }) => {
    if (loaded.headName === 'seq2seq-lm') {
      const item = sourceItem({ tokenizer, maxTokens }, text, prefix);
      run.read?.add(item);
      return [...item.ids];
    }
    const { lead, text: own } = promptIds(tokenizer, text, prefix);
    const ids = Int32Array.from([...lead, ...own]);
    run.read?.add({ ids, truncated: 0 });
    return [...ids];
  });
  run.read?.check();
  return prompts;
}
