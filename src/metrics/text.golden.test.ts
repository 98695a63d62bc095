/** Text metrics against sacrebleu, rouge_score, seqeval, scipy, scikit-learn and SQuAD's script (scripts/golden/metrics_text.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  answerScore,
  answerScores,
  type BleuSmoothing,
  type BleuTokenizer,
  binaryScores,
  bleu,
  chrf,
  type EntityScheme,
  type EntityTypeScore,
  entityScores,
  multiLabelScores,
  normalizeAnswer,
  pearson,
  porterStem,
  type RougeType,
  rouge,
  sentenceBleu,
  sentenceRouge,
  spearman,
  TEXT_METRICS_VERSION,
} from './index.js';

interface RougeGolden {
  sentences: number[];
  mean: number[];
}
interface Corpus {
  hyps: string[];
  refs: string[][];
  bleu: {
    options: {
      tokenize: string;
      smooth_method: string;
      lowercase: boolean;
      effective_order: boolean;
    };
    score: number;
    precisions: number[];
    bp: number;
    lengths: [number, number];
    signature: string;
  }[];
  sentenceBleu: number[];
  chrf: {
    options: {
      word_order?: number;
      char_order?: number;
      beta?: number;
      lowercase?: boolean;
      whitespace?: boolean;
    };
    score: number;
    signature: string;
  }[];
  sentenceChrf: number[];
  rouge: Record<RougeType, RougeGolden>;
  rougeStemmed: Record<RougeType, RougeGolden>;
}
interface EntityCase {
  scheme: EntityScheme;
  true: string[];
  pred: string[];
  accuracy: number;
  micro: (number | 'NaN')[];
  macro: number[];
  weighted: number[];
  types: number[][];
}
const golden = JSON.parse(
  readFileSync(new URL('../../test/golden/metrics-text.json', import.meta.url), 'utf8'),
) as {
  corpora: Corpus[];
  stems: [string, string][];
  entities: EntityCase[];
  correlations: { a: number[]; b: number[]; pearson: number; spearman: number }[];
  multiLabel: {
    classes: number;
    labels: number[];
    predicted: number[];
    micro: number[];
    macro: number[];
    weighted: number[];
    exactMatch: number;
    binary: number[];
  }[];
  answers: {
    answer: string;
    right: string[];
    normalized: string;
    exactMatch: number;
    f1: number;
  }[];
};

/** Equal to 1e-9 of the value, or absolutely below one. */
function near(what: string, got: number, want: number): void {
  expect(Math.abs(got - want), `${what}: ${got}, expected ${want}`).toBeLessThanOrEqual(
    1e-9 * Math.max(1, Math.abs(want)),
  );
}
const nearAll = (what: string, got: readonly number[], want: readonly number[]) => {
  expect(got.length, what).toBe(want.length);
  for (const [i, w] of want.entries()) near(`${what}[${i}]`, got[i]!, w);
};
/** A signature without the version, which is Graft's own. */
const unversioned = (signature: string) => signature.replace(/\|version:.*$/, '');

describe.each(golden.corpora.map((c, i) => [i, c] as const))('corpus %i', (_, c) => {
  test.each(c.bleu.map((b) => [JSON.stringify(b.options), b] as const))('BLEU %s', (_name, b) => {
    const got = bleu(c.hyps, c.refs, {
      tokenizer: b.options.tokenize as BleuTokenizer,
      smoothing: b.options.smooth_method as BleuSmoothing,
      lowercase: b.options.lowercase,
      effectiveOrder: b.options.effective_order,
    });
    expect([got.length, got.referenceLength]).toEqual(b.lengths);
    near('score', got.score, b.score);
    nearAll('precisions', got.precisions, b.precisions);
    near('brevity penalty', got.brevityPenalty, b.bp);
    expect(unversioned(got.signature)).toBe(unversioned(b.signature));
    expect(got.signature).toContain(`|version:${TEXT_METRICS_VERSION}`);
  });

  test('BLEU of each sentence', () => {
    nearAll(
      'sentences',
      c.hyps.map((h, i) => sentenceBleu(h, c.refs[i]!).score),
      c.sentenceBleu,
    );
  });

  test.each(c.chrf.map((b) => [JSON.stringify(b.options), b] as const))('chrF %s', (_name, b) => {
    const { word_order: wordOrder = 0, char_order: charOrder = 6, ...rest } = b.options;
    const got = chrf(c.hyps, c.refs, { wordOrder, charOrder, ...rest });
    near('score', got.score, b.score);
    expect(unversioned(got.signature)).toBe(unversioned(b.signature));
  });

  test('chrF of each sentence', () => {
    nearAll(
      'sentences',
      c.hyps.map((h, i) => chrf([h], [c.refs[i]!]).score),
      c.sentenceChrf,
    );
  });

  test.each(['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const)('%s', (type) => {
    for (const [stemmer, want] of [
      [false, c.rouge[type]],
      [true, c.rougeStemmed[type]],
    ] as const) {
      nearAll(
        'sentences',
        c.hyps.map((h, i) => sentenceRouge(h, c.refs[i]!, type, { stemmer }).f1),
        want.sentences,
      );
      const { precision, recall, f1 } = rouge(c.hyps, c.refs, type, { stemmer });
      nearAll('mean', [precision, recall, f1], want.mean);
    }
  });
});

test('at least 200 segments are compared, some empty, some with several references', () => {
  const all = golden.corpora.flatMap((c) => c.hyps.map((h, i) => ({ h, refs: c.refs[i]! })));
  expect(all.length).toBeGreaterThanOrEqual(200);
  expect(all.filter(({ h }) => h === '').length).toBeGreaterThan(3);
  expect(all.filter(({ refs }) => refs.length > 1).length).toBeGreaterThan(60);
});

test('stems', () => {
  expect(golden.stems.length).toBeGreaterThan(400);
  expect(golden.stems.map(([word]) => [word, porterStem(word)])).toEqual(golden.stems);
});

test.each(golden.entities.map((c, i) => [i, c.scheme, c] as const))(
  'entities %i: %s',
  (...[, , c]) => {
    const split = (rows: string[]) => rows.map((r) => r.split(' '));
    const got = entityScores(split(c.true), split(c.pred), c.scheme);
    const row = (s: EntityTypeScore) => [s.precision, s.recall, s.f1];
    near('accuracy', got.accuracy, c.accuracy);
    nearAll('micro', row(got), c.micro.slice(0, 3) as number[]);
    nearAll('macro', row(got.macro), c.macro.slice(0, 3));
    nearAll('weighted', row(got.weighted), c.weighted.slice(0, 3));
    expect(got.types.size).toBe(c.types.length);
    [...got.types.values()].forEach((s, i) => {
      nearAll(`type ${i}`, [...row(s), s.support], c.types[i]!);
    });
  },
);

test.each(golden.correlations.map((c, i) => [i, c] as const))('correlations %i', (_, c) => {
  near('pearson', pearson(c.a, c.b), c.pearson);
  near('spearman', spearman(c.a, c.b), c.spearman);
});

test.each(golden.multiLabel.map((c, i) => [i, c] as const))('several labels %i', (_, c) => {
  const got = multiLabelScores(c);
  for (const name of ['micro', 'macro', 'weighted'] as const) {
    const { precision, recall, f1 } = got[name];
    nearAll(name, [precision, recall, f1], c[name]);
  }
  near('exact match', got.exactMatch, c.exactMatch);
  const first = (values: number[]) => values.filter((_v, i) => i % c.classes === 0);
  const { precision, recall, f1 } = binaryScores(first(c.predicted), first(c.labels));
  nearAll('binary', [precision, recall, f1], c.binary);
});

test('answers', () => {
  for (const { answer, right, normalized, exactMatch, f1 } of golden.answers) {
    expect(normalizeAnswer(answer)).toBe(normalized);
    const got = answerScore(answer, right);
    expect(got.exactMatch, answer).toBe(exactMatch);
    near(answer, got.f1, f1);
  }
  const mean = answerScores(
    golden.answers.map((a) => a.answer),
    golden.answers.map((a) => a.right),
  );
  near('mean', mean.f1, golden.answers.reduce((s, a) => s + a.f1, 0) / golden.answers.length);
});
