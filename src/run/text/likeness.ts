/** Embeddings of texts, and how alike two of them are. */
import type { SimilarTexts } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { sentenceSimilarity } from '../../tasks/index.js';
import type { Prediction } from '../apply.js';
import { type Asked, answersTo } from './asked.js';
import type { TextRun } from './open-run.js';

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

/** Digits that a float32 has. */
const short = (value: number) => Number(value.toPrecision(7));

/**
 * For a pair the cosine of its two texts; for a text its embedding, of length 1, and among several texts the
 * one that is nearest to it.
 */
export async function likeness(
  engine: Engine,
  run: TextRun,
  asked: readonly Asked[],
): Promise<Prediction[]> {
  // Whoever is alone is compared with itself, so that all are of one form.
  const pairs = asked.map(({ id, text, text2 = text }): SimilarTexts => ({ id, text, text2 }));
  const { rows } = await answersTo(engine, run, sentenceSimilarity(true), pairs);
  const half = (i: number, part: 0 | 1) => {
    const { data } = rows[i]!;
    return data.subarray((part * data.length) / 2, ((part + 1) * data.length) / 2);
  };
  const alone = [...asked.keys()].filter((i) => asked[i]!.text2 === undefined);
  return asked.map(({ id, text, text2 }, i): Prediction => {
    const known = { file: id, text };
    if (text2 !== undefined)
      return { ...known, text2, score: short(cosine(half(i, 0), half(i, 1))) };
    const others = alone
      .filter((j) => j !== i)
      .map((j) => ({ text: asked[j]!.text, score: short(cosine(half(i, 0), half(j, 0))) }))
      .sort((a, b) => b.score - a.score);
    const nearest = others[0] ? { nearest: others[0] } : {};
    return { ...known, embedding: Array.from(half(i, 0), short), ...nearest };
  });
}
