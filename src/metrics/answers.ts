/** Exact match and F1 of answers, as SQuAD 2's evaluation script computes them (Rajpurkar et al. 2018). */
import { ConfigError } from '../errors.js';
import { countGrams, overlap, wordsOf } from './words.js';

// A letter, digit or underscore as Python's \w has them: JavaScript's knows ASCII only.
const ARTICLES = /(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu;
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** An answer in lower case, without punctuation, articles and extra spaces. */
export function normalizeAnswer(answer: string): string {
  const bare = answer.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' ');
  return wordsOf(bare).join(' ');
}

/** Exact match (0 or 1) and F1 of the words of an answer. */
export interface AnswerScore {
  readonly exactMatch: number;
  readonly f1: number;
}

function against(answer: string, right: string): AnswerScore {
  const [a, b] = [normalizeAnswer(answer), normalizeAnswer(right)];
  const exactMatch = a === b ? 1 : 0;
  const [mine, theirs] = [wordsOf(a), wordsOf(b)];
  if (mine.length === 0 || theirs.length === 0) return { exactMatch, f1: exactMatch };
  const shared = overlap(countGrams(mine, 1), countGrams(theirs, 1));
  const [precision, recall] = [shared / mine.length, shared / theirs.length];
  return { exactMatch, f1: shared > 0 ? (2 * precision * recall) / (precision + recall) : 0 };
}

/**
 * Scores an answer: each figure against the right answer that is best for it.
 * @param answer empty where the model says that there is none
 * @param right all that are accepted; none where there is no answer
 */
export function answerScore(answer: string, right: readonly string[]): AnswerScore {
  const said = right.filter((r) => normalizeAnswer(r) !== '');
  const scores = (said.length > 0 ? said : ['']).map((r) => against(answer, r));
  return {
    exactMatch: Math.max(...scores.map((s) => s.exactMatch)),
    f1: Math.max(...scores.map((s) => s.f1)),
  };
}

/** Means over all questions and, where some have no answer, over those with and without one. */
export interface AnswerScores extends AnswerScore {
  /** SQuAD 2's `HasAns_exact` and `HasAns_f1`; absent where every question or none has an answer. */
  readonly hasAnswerExactMatch?: number;
  readonly hasAnswerF1?: number;
  /** SQuAD 2's `NoAns_exact` and `NoAns_f1`; absent where every question has an answer. */
  readonly noAnswerExactMatch?: number;
  readonly noAnswerF1?: number;
}

/**
 * Means over questions.
 * @throws ConfigError for no questions, or other numbers of answers and right answers
 */
export function answerScores(
  answers: readonly string[],
  right: readonly (readonly string[])[],
): AnswerScores {
  if (answers.length !== right.length || answers.length === 0) {
    throw new ConfigError(
      `metrics: ${answers.length} answers for ${right.length} questions; expected one each, and at least one.`,
      { answers: answers.length, questions: right.length },
    );
  }
  const scores = answers.map((answer, i) => answerScore(answer, right[i]!));
  const mean = (name: keyof AnswerScore, of: readonly AnswerScore[]) =>
    of.reduce((sum, s) => sum + s[name], 0) / of.length;
  const answered = scores.filter((_, i) => right[i]!.length > 0);
  const others = scores.filter((_, i) => right[i]!.length === 0);
  return {
    exactMatch: mean('exactMatch', scores),
    f1: mean('f1', scores),
    ...(others.length > 0 && {
      ...(answered.length > 0 && {
        hasAnswerExactMatch: mean('exactMatch', answered),
        hasAnswerF1: mean('f1', answered),
      }),
      noAnswerExactMatch: mean('exactMatch', others),
      noAnswerF1: mean('f1', others),
    }),
  };
}
