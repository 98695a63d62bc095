/** Texts that a model is asked about: given as they are, or as files of them. */
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Skipped, TextSample } from '../../data/index.js';
import { streamTextRows, TEXT_ENDINGS } from '../../data/index.node.js';
import type { Engine } from '../../engine/index.js';
import { DataError } from '../../errors.js';
import type { Row, TextTask } from '../../tasks/index.js';
import { collect, Forward } from '../../train/index.js';
import type { TextRun } from './open-run.js';
import { streamOf } from './streams.js';

/** An input as it was given, with one text of it. */
export interface Asked {
  readonly id: string;
  readonly text: string;
  /** The second text of a pair. */
  readonly text2?: string;
  /** Words, where the file has them apart. */
  readonly words?: readonly string[];
}

/** Texts to answer, and rows of files that hold none. */
export interface Inputs {
  readonly asked: readonly Asked[];
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
}

/**
 * A file of texts stands for all of them, anything else for itself.
 * @param pair the second text of those that are no files
 * @throws DataError when there is no text, or an argument is an empty one
 */
export async function textsIn(inputs: readonly string[], pair?: string): Promise<Inputs> {
  const asked: Asked[] = [];
  const skipped: { file: string; reason: string }[] = [];
  for (const input of inputs) {
    const isFile = (await stat(input).catch(() => null))?.isFile() === true;
    if (!isFile) {
      if ([input, pair].some((text) => text?.trim() === '')) {
        throw new DataError('A text that was given is empty.', { input }, { code: 'no-data' });
      }
      asked.push({ id: 'argument', text: input, ...(pair === undefined ? {} : { text2: pair }) });
      continue;
    }
    if (!TEXT_ENDINGS.has(extname(input).slice(1).toLowerCase())) {
      throw new DataError(
        `${input} is no file of texts. Give .${[...TEXT_ENDINGS].join(', .')}, or the text itself.`,
        { input },
        { code: 'no-data' },
      );
    }
    const before = asked.length;
    const onSkip = ({ id, reason }: Skipped) => skipped.push({ file: id, reason });
    for await (const texts of streamTextRows(input, { onSkip })) {
      asked.push({ id: `${input}, text ${asked.length - before + 1}`, ...texts });
    }
  }
  if (asked.length === 0) {
    throw new DataError(`There is no text in ${inputs.join(', ')}.`, {}, { code: 'no-data' });
  }
  return { asked, skipped };
}

/** What a model gives for samples that nobody has labelled, in their order, and what is true of each. */
export async function answersTo<S extends TextSample, T>(
  engine: Engine,
  { base, loaded, maxTokens, choices }: TextRun,
  given: TextTask<S, T>,
  samples: readonly S[],
): Promise<{ readonly rows: readonly Row[]; readonly truth: readonly T[] }> {
  const task = given as unknown as TextTask;
  const asking = { ...choices, augment: 'none', batch: Math.min(choices.batch, samples.length) };
  const stream = streamOf({ task }, samples, base, asking, maxTokens, 'asked');
  const { model, weights } = loaded;
  const forward = new Forward(engine, model, { part: 'all', weights, keep: task.keep });
  const rows = await collect(stream, ({ feeds }) => forward.run(feeds));
  return { rows, truth: stream.truth as readonly T[] };
}
