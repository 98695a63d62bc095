/** What a masked language model puts in the place of a hidden word. */
import type { PlainText } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { DataError } from '../../errors.js';
import { hostTensor } from '../../graph/index.js';
import { TEXT_INPUTS } from '../../models/index.js';
import {
  encodeTexts,
  packedRows,
  probabilitiesOf,
  specialToken,
  type TextTask,
  tokenInputs,
  topAnswers,
} from '../../tasks/index.js';
import type { Prediction } from '../apply.js';
import { type Asked, answersTo } from './asked.js';
import type { TextRun } from './open-run.js';
import { languageTask } from './plan.js';

/** Texts whose probabilities are held at a time: one for each word of the vocabulary. */
const AT_ONCE = 512;

/**
 * The likeliest words for the one mask of each text.
 * @throws DataError naming a text that has no mask, or several
 */
export async function fillMask(
  engine: Engine,
  run: TextRun,
  asked: readonly Asked[],
  top: number,
): Promise<Prediction[]> {
  const { base } = run;
  const { tokenizer } = base;
  const hidden = specialToken(tokenizer, 'mask');
  const written = tokenizer.tokenOf(hidden)!;
  const place = ({ text }: Pick<Asked, 'text'>, ids: ArrayLike<number>): number => {
    const places = [...Array.from(ids).entries()].filter(([, id]) => id === hidden);
    if (places.length === 1) return places[0]![0];
    throw new DataError(
      `This model fills in one hidden word a text: write ${written} in its place. "${text}" has ${places.length}${places.length === 0 ? '' : ', so ask for each on its own'}.`,
      { text, masks: places.length },
      { code: 'no-mask' },
    );
  };
  // Training keeps losses; here the words themselves are asked for.
  const { keep: _, ...language } = languageTask({ objective: 'mlm' }, base).task;
  const task: TextTask<PlainText, unknown> = {
    ...(language as unknown as TextTask<PlainText, unknown>),
    item: (sample, tools) => {
      const encoded = encodeTexts(tools, sample.text);
      return { ...encoded, labels: Int32Array.of(place(sample, encoded.ids)) };
    },
    inputs: (rows, where) => ({
      ...tokenInputs(rows, where),
      [TEXT_INPUTS.asked]: hostTensor(
        'int32',
        [rows.length],
        rows.map((row, r) => r * where.tokens + (row?.labels[0] ?? 0)),
      ),
    }),
    targets: () => ({}),
  };
  let words: readonly string[] = [];
  const predictions: Prediction[] = [];
  for (let start = 0; start < asked.length; start += AT_ONCE) {
    const some = asked.slice(start, start + AT_ONCE);
    const { rows } = await answersTo(engine, run, task, some);
    const { values, width } = packedRows(rows);
    if (words.length === 0) {
      words = Array.from({ length: width }, (_, id) => tokenizer.decode([id]).trim());
    }
    const probabilities = probabilitiesOf({ logits: values, classes: width });
    for (const [r, { id, text }] of some.entries()) {
      const row = probabilities.subarray(r * width, (r + 1) * width);
      predictions.push({ file: id, text, answers: topAnswers(row, words, top) });
    }
  }
  return predictions;
}
