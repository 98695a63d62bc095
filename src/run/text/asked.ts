/** Texts that a model is asked about: given as they are, by standard input, or as files of them. */
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Readable } from 'node:stream';
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

/** How inputs are read. */
export interface InputOptions {
  /** The second text of those that are no files. */
  readonly pair?: string | undefined;
  /** A `.txt` file is one text, as in class folders; else its lines or paragraphs are. */
  readonly wholeFiles?: boolean | undefined;
  /** What the input `-` is read from; the process's own by default. */
  readonly stdin?: Readable | undefined;
}

/** Stands for standard input among inputs. */
export const STDIN = '-';

const READ = `.${[...TEXT_ENDINGS].join(', .')}`;
const endingIn = (path: string): string => extname(path).slice(1).toLowerCase();

/**
 * A file of texts stands for all of them, `-` for the lines of standard input, anything else for itself.
 * @throws DataError when there is no text, an argument is an empty one or a folder, or is named as a file of
 *   texts is and there is none
 */
export async function textsIn(
  inputs: readonly string[],
  { pair, wholeFiles = false, stdin = process.stdin }: InputOptions = {},
): Promise<Inputs> {
  const asked: Asked[] = [];
  const skipped: { file: string; reason: string }[] = [];
  const paired = pair === undefined ? {} : { text2: pair };
  for (const input of inputs) {
    if (input === STDIN) {
      for await (const one of linesOf(stdin)) asked.push({ ...one, ...paired });
      continue;
    }
    const found = await stat(input).catch(() => null);
    checkInput(input, found);
    if (found?.isFile()) {
      const file = await rowsOf(input, wholeFiles);
      for (const one of file.asked) asked.push(one);
      for (const one of file.skipped) skipped.push(one);
      continue;
    }
    if ([input, pair].some((text) => text?.trim() === '')) {
      throw new DataError('A text that was given is empty.', { input }, { code: 'no-data' });
    }
    asked.push({ id: 'argument', text: input, ...paired });
  }
  if (asked.length === 0) {
    const named = inputs.map((input) => (input === STDIN ? 'standard input' : input));
    throw new DataError(`There is no text in ${named.join(', ')}.`, {}, { code: 'no-data' });
  }
  return { asked, skipped };
}

/** Refuses what is neither a text nor a file of texts. */
function checkInput(input: string, found: Awaited<ReturnType<typeof stat>> | null): void {
  const refuse = (what: string): never => {
    throw new DataError(what, { input }, { code: 'no-data' });
  };
  const readable = TEXT_ENDINGS.has(endingIn(input));
  if (found?.isDirectory()) {
    refuse(`${input} is a folder. Give files of texts (${READ}), or the texts themselves.`);
  }
  if (found && !readable) {
    refuse(`${input} is no file of texts. Give ${READ}, or the text itself.`);
  }
  if (!found && readable) {
    // A mistyped name must not be answered as if it were a text.
    refuse(
      `There is no file ${input}. If these words are a text, give them by standard input, as the input ${STDIN}.`,
    );
  }
}

/** The texts of a file by their places in it; a place begins with the path as it was given. */
async function rowsOf(input: string, wholeFiles: boolean): Promise<Inputs> {
  const asked: Asked[] = [];
  const skipped: { file: string; reason: string }[] = [];
  const placed = (id: string) => `${input}${id.slice(basename(input).length)}`;
  const onSkip = ({ id, reason }: Skipped) => skipped.push({ file: placed(id), reason });
  for await (const { id, ...texts } of streamTextRows(input, { onSkip })) {
    asked.push({ id: placed(id), ...texts });
  }
  if (!wholeFiles || endingIn(input) !== 'txt' || asked.length === 0) return { asked, skipped };
  if (skipped.length > 0) return { asked: [], skipped };
  // As reading a class folder joins them, whatever blank lines the file has.
  return { asked: [{ id: input, text: asked.map((a) => a.text).join('\n\n') }], skipped };
}

/** Lines that hold a text, with their numbers. */
async function* linesOf(stdin: Readable): AsyncGenerator<Asked> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for await (const chunk of stdin) text += decoder.decode(chunk as Uint8Array, { stream: true });
    text += decoder.decode();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new DataError('Standard input is no UTF-8.', {}, { code: 'encoding', cause });
  }
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() !== '') yield { id: `${STDIN}:${i + 1}`, text: line };
  }
}

/** What a model gives for samples that nobody has labelled, in their order, and what is true of each. */
export async function answersTo<S extends TextSample, T>(
  engine: Engine,
  { base, loaded, maxTokens, choices, read }: TextRun,
  given: TextTask<S, T>,
  samples: readonly S[],
): Promise<{ readonly rows: readonly Row[]; readonly truth: readonly T[] }> {
  const task = given as unknown as TextTask;
  const asking = { ...choices, augment: 'none', batch: Math.min(choices.batch, samples.length) };
  const stream = await streamOf({ task }, samples, {
    ...{ base, choices: asking, maxTokens, fingerprint: 'asked', read },
  });
  read?.check();
  const { model, weights } = loaded;
  const forward = new Forward(engine, model, { part: 'all', weights, keep: task.keep });
  const rows = await collect(stream, ({ feeds }) => forward.run(feeds));
  return { rows, truth: stream.truth as readonly T[] };
}
