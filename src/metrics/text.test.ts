/** What must hold of the text metrics whatever the texts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import {
  answerScore,
  answerScores,
  type BleuTokenizer,
  bleu,
  bleuWords,
  chrf,
  entitiesOf,
  entityScores,
  multiLabelScores,
  pearson,
  perplexity,
  type RougeType,
  rouge,
  sentenceBleu,
  sentenceRouge,
  spearman,
} from './index.js';

/** Texts of few words, so that they share n-grams. */
const text = fc
  .array(fc.constantFrom('the', 'cat', 'Sat', 'on', 'a', 'mat', '.', '3.5', 'naïve', '🙂'), {
    maxLength: 12,
  })
  .map((words) => words.join(' '));
const corpus = fc.array(fc.record({ h: text, r: fc.array(text, { minLength: 1, maxLength: 3 }) }), {
  minLength: 1,
  maxLength: 6,
});

describe('BLEU, chrF and ROUGE', () => {
  test('lie between nothing and all, and all is the text itself', () => {
    fc.assert(
      fc.property(corpus, (rows) => {
        const [hyps, refs] = [rows.map((x) => x.h), rows.map((x) => x.r)];
        const scores = [
          bleu(hyps, refs).score,
          chrf(hyps, refs, { wordOrder: 2 }).score,
          100 * rouge(hyps, refs, 'rougeLsum').f1,
        ];
        for (const score of scores) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(100 + 1e-9);
        }
        const own = rows.filter((x) => x.h !== '').map((x) => x.h);
        if (own.length === 0) return;
        const same = own.map((h) => ['another', h]);
        expect(chrf(own, same).score).toBeCloseTo(100);
        expect(sentenceBleu(own[0]!, same[0]!).score).toBeCloseTo(100);
      }),
    );
  });

  test('do not depend on the order of references', () => {
    fc.assert(
      fc.property(corpus, (rows) => {
        const hyps = rows.map((x) => x.h);
        const [refs, turned] = [rows.map((x) => x.r), rows.map((x) => [...x.r].reverse())];
        expect(bleu(hyps, turned)).toEqual(bleu(hyps, refs));
        expect(rouge(hyps, turned, 'rouge2').f1).toBeCloseTo(rouge(hyps, refs, 'rouge2').f1, 12);
      }),
    );
  });

  test('say what is wrong with what they are given', () => {
    expect(() => bleu([], [])).toThrow(/no texts/);
    expect(() => bleu(['a'], [])).toThrow(/1 texts for 0 lists/);
    expect(() => chrf(['a'], [[]])).toThrow(/text 0 has no reference/);
    expect(() => bleuWords('a', 'ja-mecab' as BleuTokenizer)).toThrow(ConfigError);
    expect(() => bleu(['a'], [['a']], { smoothing: 'x' as 'exp' })).toThrow(/exp, .*floor/);
    expect(() => sentenceRouge('a', ['a'], 'rouge0' as RougeType)).toThrow(ConfigError);
  });

  test('the signature names the options as sacreBLEU does', () => {
    const refs = [['a', 'b'], ['c']];
    expect(bleu(['a', 'c'], refs, { smoothing: 'floor', lowercase: true }).signature).toBe(
      'nrefs:var|case:lc|eff:no|tok:13a|smooth:floor[0.10]|version:graft-1',
    );
  });
});

describe('entities', () => {
  test('strict schemes take whole pieces only', () => {
    const tags = ['B-PER', 'I-PER', 'O', 'I-LOC', 'B-LOC', 'I-PER'];
    expect(entitiesOf(tags).map((e) => [e.type, e.start, e.end])).toEqual([
      ['PER', 0, 2],
      ['LOC', 3, 4],
      ['LOC', 4, 5],
      ['PER', 5, 6],
    ]);
    expect(entitiesOf(tags, 'IOB2').map((e) => [e.type, e.start, e.end])).toEqual([
      ['PER', 0, 2],
      ['LOC', 4, 5],
    ]);
    expect(entitiesOf(['B-A', 'I-A', 'O', 'U-A'], 'BILOU')).toEqual([
      { type: 'A', start: 3, end: 4 },
    ]);
  });

  test('what was said as it is scores 1, and no entities score 0', () => {
    const rows = [['B-A', 'I-A', 'O'], ['O']];
    expect(entityScores(rows, rows)).toMatchObject({ f1: 1, accuracy: 1, support: 1 });
    expect(entityScores([['O']], [['O']])).toMatchObject({ f1: 0, accuracy: 1 });
  });

  test('say what is wrong', () => {
    expect(() => entityScores([['O', 'O']], [['O']])).toThrow(/sentence 0 has 2 tags, 1/);
    expect(() => entityScores([['O']], [])).toThrow(ConfigError);
    expect(() => entitiesOf(['X-A'], 'IOB2')).toThrow(/"X-A" is none of the scheme IOB2/);
  });
});

describe('correlations', () => {
  const series = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 20 });

  test('are 1 with itself, -1 with its opposite, 0 with a constant', () => {
    fc.assert(
      fc.property(series, (a) => {
        const flat = new Set(a).size === 1;
        for (const f of [pearson, spearman]) {
          expect(f(a, a)).toBeCloseTo(flat ? 0 : 1);
          expect(
            f(
              a,
              a.map((v) => -v),
            ),
          ).toBeCloseTo(flat ? 0 : -1);
          expect(
            f(
              a,
              a.map(() => 0.1),
            ),
          ).toBe(0);
        }
        expect(
          spearman(
            a,
            a.map((v) => v ** 3),
          ),
        ).toBeCloseTo(flat ? 0 : 1);
      }),
    );
  });

  test('refuse what is no number', () => {
    expect(() => pearson([1, Number.NaN], [1, 2])).toThrow(/value 1 is NaN/);
    expect(() => pearson([1], [1])).toThrow(/at least 2/);
  });
});

test('several labels refuse probabilities and lengths that do not fit', () => {
  expect(() => multiLabelScores({ predicted: [0.5], labels: [1], classes: 1 })).toThrow(/0.5/);
  expect(() => multiLabelScores({ predicted: [0], labels: [1, 0], classes: 2 })).toThrow(/1 pred/);
  expect(() => multiLabelScores({ predicted: [], labels: [], classes: 2 })).toThrow(ConfigError);
});

test('a question without an answer is right when nothing is said', () => {
  expect(answerScore('', [])).toEqual({ exactMatch: 1, f1: 1 });
  expect(answerScore('something', [])).toEqual({ exactMatch: 0, f1: 0 });
  expect(answerScore('The Cat!', ['a cat', 'dog'])).toEqual({ exactMatch: 1, f1: 1 });
});

test('answers are scored apart where some questions have none, as in SQuAD 2', () => {
  const right = [['ann'], ['the dull film', 'bob'], [], []];
  // SQuAD's script gives for these: exact 50, f1 66.67, HasAns_exact 50, HasAns_f1 83.33, NoAns_exact 50, NoAns_f1 50.
  const all = answerScores(['Ann.', 'film', '', 'bob'], right);
  expect(all).toEqual({
    exactMatch: 0.5,
    f1: expect.closeTo((1 + 2 / 3 + 1) / 4, 12),
    hasAnswerExactMatch: 0.5,
    hasAnswerF1: expect.closeTo((1 + 2 / 3) / 2, 12),
    noAnswerExactMatch: 0.5,
    noAnswerF1: 0.5,
  });
  expect(answerScores(['ann'], [['ann']])).toEqual({ exactMatch: 1, f1: 1 });
  expect(answerScores(['', 'x'], [[], []])).toEqual({
    exactMatch: 0.5,
    f1: 0.5,
    noAnswerExactMatch: 0.5,
    noAnswerF1: 0.5,
  });
});

test('perplexity of a guess among n is n', () => {
  expect(perplexity(12 * Math.log(7), 12)).toBeCloseTo(7, 12);
  expect(() => perplexity(1, 0)).toThrow(ConfigError);
});
