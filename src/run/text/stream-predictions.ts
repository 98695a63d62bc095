/** Texts of a finished model as they are written, one prompt after the other. */
import { ConfigError } from '../../errors.js';
import { streamText, TextGenerator } from '../../generate/index.js';
import { type EngineChoice, openEngine } from '../engine.js';
import { textsIn } from './asked.js';
import { isTextRun, openTextRun } from './open-run.js';
import { promptsOf, type WriteChoices, writeOptions, writerOf } from './write-choices.js';
import { decoderOf, limitsOf } from './written.js';

/** A piece of what is written; the pieces of one text follow each other. A text of nothing is one empty piece. */
export interface PredictionPiece {
  /** Number of the text that was asked. */
  readonly index: number;
  /** Where it comes from, and the text itself. */
  readonly file: string;
  readonly text: string;
  readonly piece: string;
}

/** Pieces without white space at the ends of the whole. */
async function* trimmed(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let [begun, space] = [false, ''];
  for await (const piece of pieces) {
    const own = begun ? space + piece : piece.trimStart();
    const kept = own.trimEnd();
    space = own.slice(kept.length);
    if (kept === '') continue;
    begun = true;
    yield kept;
  }
}

/**
 * What a run writes, as it is written: the pieces of each text together are the `output` of `predictRun`.
 * @throws ConfigError for models that do not write, and for beams, whose text is known only at the end
 */
export async function* streamPredictions(
  run: string,
  inputs: readonly string[],
  options: EngineChoice & WriteChoices = {},
): AsyncGenerator<PredictionPiece> {
  const opened = (await isTextRun(run)) ? await openTextRun(run) : null;
  const head = opened?.loaded.headName;
  if (!opened || (head !== 'causal-lm' && head !== 'seq2seq-lm')) {
    throw new ConfigError(
      `Only models that write have a text to be streamed; ${opened ? `this model's head is ${head}` : `${run} is none of texts`}.`,
      { run, head },
      'usage',
    );
  }
  const { wholeFiles } = opened.record?.data ?? {};
  const { asked } = await textsIn(inputs, { wholeFiles });
  const { budget, options: chosen } = writeOptions(options);
  const prompts = promptsOf(opened, asked);
  const writer = writerOf(opened);
  const limits = limitsOf(writer, prompts, budget);
  const decode = decoderOf(writer);
  const generator = await TextGenerator.create(await openEngine(options), opened.loaded);
  try {
    for (const [index, { id: file, text }] of asked.entries()) {
      const own = { ...chosen, numReturnSequences: 1, maxNewTokens: limits[index]!, decode };
      let empty = true;
      for await (const piece of trimmed(streamText(generator, prompts[index]!, own))) {
        yield { index, file, text, piece };
        empty = false;
      }
      if (empty) yield { index, file, text, piece: '' };
    }
  } finally {
    await generator.free();
  }
}
