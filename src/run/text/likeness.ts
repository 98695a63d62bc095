/** Embeddings of texts, and how alike two of them are. */
import type { SimilarTexts } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { cosine, sentenceSimilarity } from '../../tasks/index.js';
import type { Prediction } from '../apply.js';
import { type Asked, answersTo } from './asked.js';
import type { TextRun } from './open-run.js';

/** Among more texts the nearest is not looked for: that takes a comparison for each pair of them. */
const COMPARED = 1000;

/** Digits that a float32 has. */
const short = (value: number) => Number(value.toPrecision(7));

/**
 * For a pair the cosine of its two texts; for a text its embedding, made as the base's `modules.json` says, and among several texts (up to a
 * thousand) the one that is nearest to it.
 */
export async function likeness(
  engine: Engine,
  run: TextRun,
  asked: readonly Asked[],
): Promise<Prediction[]> {
  // Whoever is alone is compared with itself, so that all are of one form.
  const pairs = asked.map(({ id, text, text2 = text }): SimilarTexts => ({ id, text, text2 }));
  const { rows } = await answersTo(
    engine,
    run,
    sentenceSimilarity(true, { pooling: run.base.pooling() }),
    pairs,
  );
  const half = (i: number, part: 0 | 1) => {
    const { data } = rows[i]!;
    return data.subarray((part * data.length) / 2, ((part + 1) * data.length) / 2);
  };
  const alone = [...asked.keys()].filter((i) => asked[i]!.text2 === undefined);
  const nearestOf = (i: number): Prediction['nearest'] | null => {
    let best: Prediction['nearest'] | null = null;
    for (const j of alone) {
      if (j === i) continue;
      const score = short(cosine(half(i, 0), half(j, 0)));
      if (score > (best?.score ?? Number.NEGATIVE_INFINITY)) best = { text: asked[j]!.text, score };
    }
    return best;
  };
  return asked.map(({ id, text, text2 }, i): Prediction => {
    const known = { file: id, text };
    if (text2 !== undefined)
      return { ...known, text2, score: short(cosine(half(i, 0), half(i, 1))) };
    const nearest = alone.length > COMPARED ? null : nearestOf(i);
    return { ...known, embedding: Array.from(half(i, 0), short), ...(nearest && { nearest }) };
  });
}
