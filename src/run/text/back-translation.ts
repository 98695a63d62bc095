/** Training texts said in other words, by two given translators: Sennrich et al., 2016; Edunov et al., 2018. */
import { backTranslate, type TextSample, type TranslateTexts } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { ConfigError } from '../../errors.js';
import { KeyedRandom } from '../../util/index.js';
import { openTextBase } from './base.js';
import { isTextRun, openTextRun, type TextRun } from './open-run.js';
import { promptsOf, writerOf } from './write-choices.js';
import { writeTexts } from './written.js';

/** Texts between two words of how far it is. */
const PIECE = 64;

/** What translators are opened with. */
export interface TranslatorContext {
  readonly engine: Engine;
  /** Texts that are done, and all. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Ends the work between two pieces; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** A run, a model's folder, or a model on the hub that translates. */
async function openTranslator(name: string): Promise<TextRun> {
  const run = await openTextRun((await isTextRun(name)) ? name : (await openTextBase(name)).path);
  if (run.loaded.headName === 'seq2seq-lm') return run;
  throw new ConfigError(
    `backTranslate needs two translators, and ${name} is none: its head is ${run.loaded.headName}. Give runs of the task translation, or models such as Helsinki-NLP/opus-mt-en-de.`,
    { model: name, head: run.loaded.headName },
    'no-head',
  );
}

/**
 * What a model of translation does to texts. It never draws words, so that the same texts come out every time.
 * @param name a run, a model's folder, or org/name on the hub
 * @throws ConfigError `no-head` when it is no encoder-decoder
 */
export async function translatorOf(
  name: string,
  { engine, progress = () => {}, signal }: TranslatorContext,
): Promise<TranslateTexts> {
  const run = await openTranslator(name);
  return async (texts) => {
    const written: string[] = [];
    for (let at = 0; at < texts.length; at += PIECE) {
      signal?.throwIfAborted();
      const asked = texts.slice(at, at + PIECE).map((text) => ({ id: '', text }));
      const usual = (tokens: number) => 2 * tokens + 10;
      const prompts = promptsOf(run, asked);
      const budget = { usual, firm: true };
      written.push(
        ...(await writeTexts(engine, writerOf(run), prompts, budget, { sample: false })),
      );
      progress(written.length, texts.length);
    }
    return written;
  };
}

/** The two names of a choice `THERE,BACK`. @throws ConfigError for another number of names */
export function translatorNames(choice: string): readonly [there: string, back: string] {
  const names = choice.split(',').map((name) => name.trim());
  const [there, back] = names;
  if (names.length === 2 && there && back) return [there, back];
  throw new ConfigError(`backTranslate names two translators, THERE,BACK; got '${choice}'.`, {
    backTranslate: choice,
  });
}

/**
 * The texts of samples in other words, by the sample's id. They are the same every time, so that an interrupted run
 * that makes them anew goes on as it was.
 */
export async function paraphrases(
  samples: readonly TextSample[],
  choice: string,
  { engine, progress = () => {}, signal }: TranslatorContext,
): Promise<ReadonlyMap<string, string>> {
  const [there, back] = translatorNames(choice);
  const half = (second: boolean) => (done: number, total: number) =>
    progress(done + (second ? total : 0), 2 * total);
  const texts = samples.map((sample) => (sample as TextSample & { readonly text: string }).text);
  const made = await backTranslate(
    texts,
    {
      there: await translatorOf(there, { engine, signal, progress: half(false) }),
      back: await translatorOf(back, { engine, signal, progress: half(true) }),
    },
    { random: KeyedRandom.of(0) },
  );
  return new Map(samples.map(({ id }, i) => [id, made[i]!]));
}
