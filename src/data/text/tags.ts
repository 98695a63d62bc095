/** Tag schemes of named entities, and all of them as IOB2. */
import { DataError } from '../../errors.js';
import type { TextDataset } from './dataset.js';

/**
 * How tags mark pieces of text:
 * - `IOB2`: each begins with `B-`, goes on with `I-`; outside is `O`
 * - `IOB1`: `B-` only where a piece follows one of its own type at once, else `I-` from the start
 * - `BILOU`: `L-` for the last word, `U-` for a piece of one word
 * - `IOBES`: the same with `E-` and `S-`
 * - `plain`: every tag stands for itself (parts of speech)
 */
export type TagScheme = 'IOB1' | 'IOB2' | 'BILOU' | 'IOBES' | 'plain';

/** Prefix and type of a tag; the type of `O` is empty. */
function partsOf(tag: string): { readonly prefix: string; readonly type: string } {
  return tag === 'O' ? { prefix: 'O', type: '' } : { prefix: tag[0]!, type: tag.slice(2) };
}

const MARKED = /^[BILUES]-./u;

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
 * The scheme that the labels of a model speak of. IOB2 and IOB1 have the same: pieces of both are read as the
 * scorers read them, so that it makes no difference.
 */
export function labelScheme(labels: readonly string[]): TagScheme {
  const scheme = tagScheme([labels]);
  return scheme === 'IOB1' ? 'IOB2' : scheme;
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
    return `${opens ? 'B' : 'I'}-${now.type}`;
  });
}

/**
 * The data set with its tags as IOB2: `O` first, then `B-` and `I-` of each type in order, both for
 * every type, so that each piece can go on.
 * @returns the data set itself when its tags mark no pieces, and the scheme that they had
 * @throws DataError `tags` when the data has no tags
 */
export function normalizeTagged(data: TextDataset<'tags'>): {
  readonly data: TextDataset<'tags'>;
  readonly scheme: TagScheme;
} {
  const names = (tags: readonly number[]) => tags.map((t) => data.classes[t]!);
  const all = [...data.train, ...data.valid, ...data.test].map((s) => names(s.tags));
  if (all.length === 0) throw new DataError('There is no sentence.', {}, { code: 'tags' });
  const scheme = tagScheme(all);
  if (scheme === 'plain') return { data, scheme };
  const types = new Set(data.classes.filter((c) => c !== 'O').map((c) => c.slice(2)));
  const classes = ['O', ...[...types].sort().flatMap((type) => [`B-${type}`, `I-${type}`])];
  const index = new Map(classes.map((name, i) => [name, i]));
  const part = (samples: TextDataset<'tags'>['train']) =>
    samples.map((sample) => ({
      ...sample,
      tags: normalizeTags(names(sample.tags), scheme).map((tag) => index.get(tag)!),
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
