/** Named entities, right or wrong as a whole: precision, recall and F1 as seqeval computes them. */
import { ConfigError } from '../errors.js';

/**
 * How tags are read:
 * - `lenient`: as CoNLL's `conlleval` and seqeval by default: IOB1, IOB2 and IOBES, and broken tags
 *   of them, for a piece that goes on without a beginning begins there;
 * - a scheme: seqeval's strict mode; what breaks the scheme is no entity;
 * - `plain`: each word is a piece of its own, called by its tag, such as parts of speech.
 */
export type EntityScheme = 'lenient' | 'IOB2' | 'IOBES' | 'BILOU' | 'plain';

/** A piece of a sentence. */
export interface Entity {
  readonly type: string;
  /** First word. */
  readonly start: number;
  /** Word after the last. */
  readonly end: number;
}

interface Tag {
  readonly prefix: string;
  readonly type: string;
}

/** `B-PER` and `BPER` are of the type PER, `B` and `O` of the type `_`. */
function lenientTag(tag: string): Tag {
  const rest = tag.slice(1);
  const dash = rest.indexOf('-');
  return { prefix: tag[0] ?? 'O', type: rest.slice(dash + 1) || '_' };
}

function ends(before: Tag, now: Tag): boolean {
  if (before.prefix === 'E' || before.prefix === 'S') return true;
  if ('BI'.includes(before.prefix) && 'BSO'.includes(now.prefix)) return true;
  return before.prefix !== 'O' && before.prefix !== '.' && before.type !== now.type;
}

function begins(before: Tag, now: Tag): boolean {
  if (now.prefix === 'B' || now.prefix === 'S') return true;
  if ('ESO'.includes(before.prefix) && 'EI'.includes(now.prefix)) return true;
  return now.prefix !== 'O' && now.prefix !== '.' && before.type !== now.type;
}

function lenientEntities(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  let before: Tag = { prefix: 'O', type: '' };
  let start = 0;
  for (let i = 0; i <= tags.length; i++) {
    const now = lenientTag(tags[i] ?? 'O');
    if (ends(before, now)) found.push({ type: before.type, start, end: i });
    if (begins(before, now)) start = i;
    before = now;
  }
  return found;
}

/** Prefixes of the strict schemes: what begins, goes on, ends a piece, and is one by itself. */
const STRICT = {
  IOB2: { begin: 'B', inside: 'I', last: '', single: '' },
  IOBES: { begin: 'B', inside: 'I', last: 'E', single: 'S' },
  BILOU: { begin: 'B', inside: 'I', last: 'L', single: 'U' },
} as const;

function strictEntities(tags: readonly string[], scheme: keyof typeof STRICT): Entity[] {
  const { begin, inside, last, single } = STRICT[scheme];
  const parsed = tags.map((tag): Tag => {
    const prefix = tag[0] ?? '';
    if (prefix !== 'O' && !(begin + inside + last + single).includes(prefix)) {
      throw new ConfigError(`metrics: the tag "${tag}" is none of the scheme ${scheme}.`, {
        tag,
        scheme,
      });
    }
    return { prefix, type: tag.slice(1).replace(/^-+|-+$/g, '') || '_' };
  });
  const found: Entity[] = [];
  for (let i = 0; i < parsed.length; ) {
    const { prefix, type } = parsed[i]!;
    const start = i++;
    if (single !== '' && prefix === single) found.push({ type, start, end: i });
    if (prefix !== begin) continue;
    let closed = last === '';
    while (i < parsed.length && parsed[i]!.type === type) {
      const next = parsed[i]!.prefix;
      if (next !== inside && (last === '' || next !== last)) break;
      i++;
      if (next === last) {
        closed = true;
        break;
      }
    }
    if (closed) found.push({ type, start, end: i });
  }
  return found;
}

/**
 * The entities that the tags of a sentence mark.
 * @throws ConfigError for a tag that a strict scheme does not have
 */
export function entitiesOf(tags: readonly string[], scheme: EntityScheme = 'lenient'): Entity[] {
  if (scheme === 'plain') return tags.map((type, start) => ({ type, start, end: start + 1 }));
  return scheme === 'lenient' ? lenientEntities(tags) : strictEntities(tags, scheme);
}

/** How well entities of a type were found. */
export interface EntityTypeScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Entities that are there. */
  readonly support: number;
}

/** Scores of a tagger. `precision`, `recall` and `f1` are over all entities (micro). */
export interface EntityScores extends EntityTypeScore {
  /** Share of the words with the right tag. */
  readonly accuracy: number;
  readonly macro: EntityTypeScore;
  /** Means by support. */
  readonly weighted: EntityTypeScore;
  /** By the names of the types, in order. */
  readonly types: ReadonlyMap<string, EntityTypeScore>;
}

const ratio = (a: number, b: number): number => (b > 0 ? a / b : 0);

function typeScore(correct: number, predicted: number, support: number): EntityTypeScore {
  const [precision, recall] = [ratio(correct, predicted), ratio(correct, support)];
  return { precision, recall, f1: ratio(2 * precision * recall, precision + recall), support };
}

function mean(
  scores: readonly EntityTypeScore[],
  weight: (score: EntityTypeScore) => number,
): EntityTypeScore {
  const sum = scores.reduce((s, score) => s + weight(score), 0);
  const of = (name: 'precision' | 'recall' | 'f1') =>
    ratio(
      scores.reduce((s, score) => s + weight(score) * score[name], 0),
      sum,
    );
  const support = scores.reduce((s, score) => s + score.support, 0);
  return { precision: of('precision'), recall: of('recall'), f1: of('f1'), support };
}

/**
 * Scores predicted tags against right ones. An entity counts when type, first and last word are
 * right. What divides by zero is 0.
 * @param expected tags of each sentence
 * @param predicted as many for each
 * @throws ConfigError for sentences of different lengths, or tags that a strict scheme does not
 *   have
 */
export function entityScores(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  scheme: EntityScheme = 'lenient',
): EntityScores {
  const wrong = expected.findIndex((tags, i) => tags.length !== predicted[i]?.length);
  if (wrong >= 0 || expected.length !== predicted.length) {
    throw new ConfigError(
      `metrics: sentence ${Math.max(wrong, 0)} has ${expected[wrong]?.length ?? 0} tags, ${predicted[wrong]?.length ?? 0} were predicted. Give one tag a word.`,
      { expected: expected.length, predicted: predicted.length, sentence: wrong },
    );
  }
  const counts = new Map<string, { correct: number; predicted: number; support: number }>();
  const of = (type: string) => {
    const known = counts.get(type) ?? { correct: 0, predicted: 0, support: 0 };
    counts.set(type, known);
    return known;
  };
  const key = ({ type, start, end }: Entity) => `${start} ${end} ${type}`;
  let words = 0;
  let right = 0;
  for (const [i, tags] of expected.entries()) {
    words += tags.length;
    right += tags.filter((tag, w) => tag === predicted[i]![w]).length;
    const unique = (list: readonly string[]) =>
      new Map(entitiesOf(list, scheme).map((e) => [key(e), e.type]));
    const [there, found] = [unique(tags), unique(predicted[i]!)];
    for (const type of there.values()) of(type).support++;
    for (const [name, type] of found) {
      of(type).predicted++;
      if (there.has(name)) of(type).correct++;
    }
  }
  const names = [...counts.keys()].sort();
  const types = new Map(
    names.map((name) => {
      const c = counts.get(name)!;
      return [name, typeScore(c.correct, c.predicted, c.support)];
    }),
  );
  const all = [...counts.values()].reduce(
    (s, c) => [s[0] + c.correct, s[1] + c.predicted, s[2] + c.support] as const,
    [0, 0, 0] as readonly [number, number, number],
  );
  const scores = [...types.values()];
  return {
    ...typeScore(...all),
    accuracy: ratio(right, words),
    macro: mean(scores, () => 1),
    weighted: mean(scores, (s) => s.support),
    types,
  };
}
