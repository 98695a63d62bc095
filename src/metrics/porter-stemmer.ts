/**
 * Porter's stemmer (Porter 1980, "An algorithm for suffix stripping") with the amendments of NLTK,
 * which ROUGE's reference implementation uses. For English words in lower case.
 */

/** Words that the rules get wrong, by what they become. */
const IRREGULAR: ReadonlyMap<string, string> = new Map(
  Object.entries({
    sky: 'sky skies',
    die: 'dying',
    lie: 'lying',
    tie: 'tying',
    news: 'news',
    inning: 'innings inning',
    outing: 'outings outing',
    canning: 'cannings canning',
    howe: 'howe',
    proceed: 'proceed',
    exceed: 'exceed',
    succeed: 'succeed',
  }).flatMap(([stem, words]) => words.split(' ').map((word): [string, string] => [word, stem])),
);

/** `c` or `v` for each letter: y is a vowel after a consonant. */
function shape(word: string): string {
  let out = '';
  for (const letter of word) {
    const consonant = letter === 'y' ? !out.endsWith('c') : !'aeiou'.includes(letter);
    out += consonant ? 'c' : 'v';
  }
  return out;
}

/** Porter's m: how often consonants follow vowels. */
const measure = (stem: string): number => shape(stem).split('vc').length - 1;

const hasVowel = (stem: string): boolean => shape(stem).includes('v');

/**
 * Ends in consonant, vowel, consonant, the last not w, x or y; of two letters: vowel, consonant.
 */
function endsShort(word: string): boolean {
  const form = shape(word);
  if (form.endsWith('cvc')) return !/[wxy]$/.test(word);
  return form === 'vc';
}

/** Suffix, what takes its place, and the stem's condition. */
type Rule = readonly [string, string, ((stem: string) => boolean)?];

/** The first rule whose suffix fits decides, whether its condition holds or not. */
function apply(word: string, rules: readonly Rule[]): string {
  for (const [suffix, replacement, condition] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return !condition || condition(stem) ? stem + replacement : word;
  }
  return word;
}

const some = (stem: string): boolean => measure(stem) > 0;
const more = (stem: string): boolean => measure(stem) > 1;

/** Plurals. */
function step1a(word: string): string {
  if (word.endsWith('ies') && word.length === 4) return word.slice(0, -1);
  return apply(word, [
    ['sses', 'ss'],
    ['ies', 'i'],
    ['ss', 'ss'],
    ['s', ''],
  ]);
}

/** -ed and -ing, and the stem made whole again: hopping, hop; filing, file. */
function step1b(word: string): string {
  if (word.endsWith('ied')) return word.length === 4 ? word.slice(0, -1) : word.slice(0, -2);
  if (word.endsWith('eed')) return some(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const suffix = ['ed', 'ing'].find((s) => word.endsWith(s) && hasVowel(word.slice(0, -s.length)));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (/(at|bl|iz)$/.test(stem)) return `${stem}e`;
  const last = stem.at(-1)!;
  if (stem.length > 1 && stem.at(-2) === last && shape(stem).endsWith('c')) {
    return 'lsz'.includes(last) ? stem : stem.slice(0, -1);
  }
  return measure(stem) === 1 && endsShort(stem) ? `${stem}e` : stem;
}

const STEP2: readonly Rule[] = [
  ['ational', 'ate', some],
  ['tional', 'tion', some],
  ['enci', 'ence', some],
  ['anci', 'ance', some],
  ['izer', 'ize', some],
  ['bli', 'ble', some],
  ['alli', 'al', some],
  ['entli', 'ent', some],
  ['eli', 'e', some],
  ['ousli', 'ous', some],
  ['ization', 'ize', some],
  ['ation', 'ate', some],
  ['ator', 'ate', some],
  ['alism', 'al', some],
  ['iveness', 'ive', some],
  ['fulness', 'ful', some],
  ['ousness', 'ous', some],
  ['aliti', 'al', some],
  ['iviti', 'ive', some],
  ['biliti', 'ble', some],
  ['fulli', 'ful', some],
  // The l counts with the stem, so that geology is treated as archaeology is.
  ['logi', 'log', (stem) => some(`${stem}l`)],
];

function step2(word: string): string {
  const stem = word.slice(0, -2);
  if (word.endsWith('alli') && some(word.slice(0, -4))) return step2(stem);
  return apply(word, STEP2);
}

const STEP3: readonly Rule[] = [
  ['icate', 'ic', some],
  ['ative', '', some],
  ['alize', 'al', some],
  ['iciti', 'ic', some],
  ['ical', 'ic', some],
  ['ful', '', some],
  ['ness', '', some],
];

const STEP4: readonly Rule[] = [
  ...['al', 'ance', 'ence', 'er', 'ic', 'able', 'ible', 'ant', 'ement', 'ment', 'ent'].map(
    (suffix): Rule => [suffix, '', more],
  ),
  ['ion', '', (stem) => more(stem) && /[st]$/.test(stem)],
  ...['ou', 'ism', 'ate', 'iti', 'ous', 'ive', 'ize'].map((suffix): Rule => [suffix, '', more]),
];

/** A last e, where enough is left without it. */
function step5a(word: string): string {
  if (!word.endsWith('e')) return word;
  const stem = word.slice(0, -1);
  const m = measure(stem);
  return m > 1 || (m === 1 && !endsShort(stem)) ? stem : word;
}

/** The stem of an English word in lower case; words of one or two letters stay as they are. */
export function porterStem(word: string): string {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  let stem = step1b(step1a(word));
  // Happy becomes happi, as happier does; enjoy stays, and so does a y after one letter.
  stem = apply(stem, [['y', 'i', (s) => s.length > 1 && shape(s).endsWith('c')]]);
  stem = apply(apply(step2(stem), STEP3), STEP4);
  stem = step5a(stem);
  return stem.endsWith('ll') && more(stem.slice(0, -1)) ? stem.slice(0, -1) : stem;
}
