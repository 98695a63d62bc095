/** Tag schemes of named entities, and all of them as IOB2. */
import { DataError } from '../../errors.js';
import { joinLists, mapList } from '../../util/index.js';
import type { TaggedWords, TextDataset } from './dataset.js';

/**
 * How tags mark pieces of text:
 * - `IOB2`: each begins with `B-`, goes on with `I-`; outside is `O`
 * - `IOB1`: `B-` only where a piece follows one of its own type at once, else `I-` from the start
 * - `BILOU`: `L-` for the last word, `U-` for a piece of one word
 * - `IOBES`: the same with `E-` and `S-`
 * - `plain`: every tag stands for itself (parts of speech)
 */
export type TagScheme = 'IOB1' | 'IOB2' | 'BILOU' | 'IOBES' | 'plain';

/** Prefix and type of a tag, the type with its dash, such as `-PER`; that of `O` is null. */
function partsOf(tag: string): { readonly prefix: string; readonly type: string | null } {
  return tag === 'O' ? { prefix: 'O', type: null } : { prefix: tag[0]!, type: tag.slice(1) };
}

/** `B-PER`, or `B` alone where there is one type of piece. */
const MARKED = /^[BILUES](-.|$)/u;

/**
 * Recognises the scheme of tags. IOB2 and IOB1 have the same tags: it is IOB1 if a piece begins
 * with `I-` somewhere.
 * @param sentences tags of each sentence
 */
export function tagScheme(sentences: Iterable<readonly string[]>): TagScheme {
  const prefixes = new Set<string>();
  let begun = false;
  for (const tags of sentences) {
    let before = partsOf('O');
    for (const tag of tags) {
      if (tag !== 'O' && !MARKED.test(tag)) return 'plain';
      const now = partsOf(tag);
      prefixes.add(now.prefix);
      begun ||= now.prefix === 'I' && now.type !== before.type;
      before = now;
    }
  }
  if (prefixes.has('L') || prefixes.has('U')) {
    return prefixes.has('E') || prefixes.has('S') ? 'plain' : 'BILOU';
  }
  if (prefixes.has('E') || prefixes.has('S')) return 'IOBES';
  if (!prefixes.has('B') && !prefixes.has('I')) return 'plain';
  return begun ? 'IOB1' : 'IOB2';
}

/**
 * Tags of a sentence as IOB2. Broken ones are read as the scorers read them: what goes on without a
 * beginning begins.
 * @param scheme of {@link tagScheme}; `plain` tags stay as they are
 */
export function normalizeTags(tags: readonly string[], scheme: TagScheme): string[] {
  if (scheme === 'plain') return [...tags];
  let before = partsOf('O');
  // In BILOU and IOBES a piece is over after these, whatever follows.
  const closes = new Set(['L', 'U', 'E', 'S']);
  return tags.map((tag) => {
    const now = partsOf(tag);
    const opens =
      now.prefix === 'B' ||
      now.prefix === 'U' ||
      now.prefix === 'S' ||
      now.type !== before.type ||
      closes.has(before.prefix);
    before = now;
    if (now.prefix === 'O') return 'O';
    return `${opens ? 'B' : 'I'}${now.type}`;
  });
}

/** Tags in IOB2 as another scheme has them. */
export function tagsIn(scheme: TagScheme, iob2: readonly string[]): string[] {
  if (scheme === 'IOB2' || scheme === 'plain') return [...iob2];
  const [last, single] = scheme === 'BILOU' ? ['L', 'U'] : ['E', 'S'];
  return iob2.map((tag, i) => {
    const { prefix, type } = partsOf(tag);
    if (prefix === 'O') return tag;
    const begins = prefix === 'B';
    if (scheme === 'IOB1') {
      return `${begins && i > 0 && partsOf(iob2[i - 1]!).type === type ? 'B' : 'I'}${type}`;
    }
    const next = iob2[i + 1];
    if (next === `I${type}`) return tag;
    return `${begins ? single : last}${type}`;
  });
}

/**
 * The scheme that the labels of a model are of, whatever their order.
 * @returns `IOB1` where a type goes on with `I-` and has no `B-`, as models of CoNLL 2003 have it
 */
export function schemeOfLabels(labels: readonly string[]): TagScheme {
  const scheme = tagScheme([labels]);
  if (scheme !== 'IOB1' && scheme !== 'IOB2') return scheme;
  const lacks = labels.some((tag) => tag[0] === 'I' && !labels.includes(`B${tag.slice(1)}`));
  return lacks ? 'IOB1' : 'IOB2';
}

/**
 * The data set with its tags in a scheme: that of the model that is asked, or IOB2 with `O` first and
 * then `B-` and `I-` of each type in order, both for every type, so that each piece can go on.
 * @param wanted the scheme of a model's labels; the classes are then those that occur
 * @returns the data set itself when it is of that scheme or its tags mark no pieces, and the scheme
 *   that it had
 * @throws DataError `tags` when the data has no tags
 */
export function normalizeTagged(
  data: TextDataset<'tags'>,
  wanted?: TagScheme,
): {
  readonly data: TextDataset<'tags'>;
  readonly scheme: TagScheme;
} {
  const names = (tags: readonly number[]) => tags.map((t) => data.classes[t]!);
  const all = joinLists<TaggedWords>([data.train, data.valid, data.test]);
  if (all.length === 0) throw new DataError('There is no sentence.', {}, { code: 'tags' });
  const scheme = tagScheme(mapList(all, (s) => names(s.tags)));
  const target = wanted ?? 'IOB2';
  if (scheme === 'plain' || target === 'plain' || scheme === target) return { data, scheme };
  const read = (tags: readonly number[]) => tagsIn(target, normalizeTags(names(tags), scheme));
  const found = new Set<string>();
  for (const { tags } of all) for (const tag of read(tags)) found.add(tag);
  const types = new Set([...found].filter((c) => c !== 'O').map((c) => c.slice(1)));
  const both = ['O', ...[...types].sort().flatMap((type) => [`B${type}`, `I${type}`])];
  const classes = wanted === undefined ? both : [...found].sort();
  const index = new Map(classes.map((name, i) => [name, i]));
  const part = (samples: TextDataset<'tags'>['train']) =>
    mapList(samples, (sample) => ({
      ...sample,
      tags: read(sample.tags).map((tag) => index.get(tag)!),
    }));
  return {
    scheme,
    data: {
      ...data,
      classes,
      train: part(data.train),
      valid: part(data.valid),
      test: part(data.test),
    },
  };
}
