/** What the columns of a table stand for, by their names. */
import type { TextKind, TextTaskName } from './dataset.js';

/** What is known of a table before its rows are turned into samples. */
export interface TextColumns {
  readonly kind: TextKind;
  readonly task: TextTaskName;
  /** Column of each part of a sample. */
  readonly of: Readonly<Record<string, string>>;
}

/** Names of a text, the likeliest first. */
const TEXT = [
  'text',
  'sentence',
  'sentence1',
  'premise',
  'question1',
  'content',
  'review',
  'message',
  'comment',
  'tweet',
  'body',
  'document',
  'article',
  'description',
  'headline',
  'title',
  'query',
  'question',
  'anchor',
];

/** Columns that hold the two texts of a pair. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['text', 'text2'],
  ['text1', 'text2'],
  ['sentence', 'sentence2'],
  ['sentence1', 'sentence2'],
  ['premise', 'hypothesis'],
  ['question1', 'question2'],
  ['anchor', 'positive'],
  ['question', 'sentence'],
];

const LABELS = [
  'label',
  'labels',
  'class',
  'category',
  'sentiment',
  'intent',
  'topic',
  'score',
  'similarity_score',
  'rating',
  'stars',
  'target',
  'y',
];

const WORDS = ['words', 'tokens'];
const TAGS = ['tags', 'ner_tags', 'labels', 'pos_tags', 'chunk_tags'];

/** Columns of a text and what is to be made of it, with the task that they speak of. */
const TARGETS: readonly (readonly [string, string, TextTaskName])[] = [
  ['source', 'target', 'translation'],
  ['src', 'tgt', 'translation'],
  ['src', 'trg', 'translation'],
  ['document', 'summary', 'summarization'],
  ['article', 'highlights', 'summarization'],
  ['article', 'summary', 'summarization'],
  ['article', 'abstract', 'summarization'],
  ['dialogue', 'summary', 'summarization'],
  ['text', 'summary', 'summarization'],
  ['prompt', 'completion', 'text-generation'],
  ['prompt', 'response', 'text-generation'],
  ['instruction', 'output', 'text-generation'],
  ['instruction', 'response', 'text-generation'],
  ['input', 'output', 'text-generation'],
];

/** ISO 639-1: a table with two columns of such names holds translations. */
const LANGUAGES = new Set(
  (
    'af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ' +
    'ka kk km kn ko ky la lb lo lt lv mk ml mn mr ms mt my nb ne nl nn no pa pl ps pt ro ru sd si sk sl so ' +
    'sq sr sv sw ta te tg th tk tl tr tt ug uk ur uz vi xh yi yo zh zu'
  ).split(' '),
);

const firstOf = (columns: ReadonlySet<string>, names: readonly string[]) =>
  names.find((name) => columns.has(name));

/** The two columns that are named by languages, in the order of the file. */
function languages(columns: ReadonlySet<string>): readonly [string, string] | null {
  const rest = [...columns].filter((c) => c !== 'id' && c !== '');
  const found = rest.filter((c) => LANGUAGES.has(c.split(/[-_]/)[0]!) && c.length <= 5);
  return found.length === 2 && found.length === rest.length ? [found[0]!, found[1]!] : null;
}

function pairColumns(columns: ReadonlySet<string>, task: TextTaskName | undefined) {
  const pair = TARGETS.find(([a, b]) => columns.has(a) && columns.has(b));
  const named = pair ?? languages(columns);
  if (!named) return null;
  return {
    kind: 'pairs' as const,
    task: task ?? pair?.[2] ?? ('translation' as const),
    of: { source: named[0], target: named[1] },
  };
}

/** Tasks whose data is a text and what is to be made of it. */
const TO_TEXT: ReadonlySet<TextTaskName | undefined> = new Set<TextTaskName | undefined>([
  'translation',
  'summarization',
  'text-generation',
]);

/** Tasks that need nothing but texts. */
const FROM_TEXT: ReadonlySet<TextTaskName | undefined> = new Set<TextTaskName | undefined>([
  'language-modeling',
  'text-generation',
]);

/**
 * Recognises what the columns of a table stand for. Whether labels are one, several or numbers is
 * decided by their values, so that `kind` is then `single-label`.
 * @param columns names in lower case
 * @param task the task that was asked for; found out when undefined
 * @returns null when the columns do not fit the task, or any
 */
export function recogniseColumns(
  columns: ReadonlySet<string>,
  task?: TextTaskName,
): TextColumns | null {
  const is = (...names: TextTaskName[]) => task === undefined || names.includes(task);
  const text = firstOf(columns, TEXT);
  const label = firstOf(columns, LABELS);
  if (task !== undefined && TO_TEXT.has(task)) {
    const found = pairColumns(columns, task);
    if (found || !FROM_TEXT.has(task)) return found;
  }
  if (task !== undefined && FROM_TEXT.has(task)) {
    const column = text ?? firstOf(columns, ['source', 'src']);
    return column === undefined ? null : { kind: 'plain', task, of: { text: column } };
  }
  const answers = firstOf(columns, ['answers', 'answer', 'answer_text']);
  if (
    is('question-answering') &&
    columns.has('question') &&
    columns.has('context') &&
    answers !== undefined
  ) {
    const of = {
      question: 'question',
      context: 'context',
      answers,
      ...(columns.has('answer_start') ? { start: 'answer_start' } : {}),
    };
    return { kind: 'questions', task: 'question-answering', of };
  }
  const [words, tags] = [firstOf(columns, WORDS), firstOf(columns, TAGS)];
  if (is('token-classification') && words !== undefined && tags !== undefined) {
    return { kind: 'tags', task: 'token-classification', of: { words, tags } };
  }
  const pair = PAIRS.find(([a, b]) => columns.has(a) && columns.has(b));
  if (pair && is('text-classification', 'sentence-similarity')) {
    const of = { text: pair[0], text2: pair[1] };
    if (task === 'sentence-similarity' || label === undefined) {
      if (task === 'text-classification') return null;
      const similar: Record<string, string> = label === undefined ? of : { ...of, score: label };
      return { kind: 'similar', task: 'sentence-similarity', of: similar };
    }
    return { kind: 'single-label', task: 'text-classification', of: { ...of, label } };
  }
  // A column that is called label says what the text is for, whatever stands beside it.
  if (task === undefined && !(columns.has('label') && text !== undefined)) {
    const found = pairColumns(columns, task);
    if (found) return found;
  }
  if (is('text-classification') && text !== undefined && label !== undefined) {
    return { kind: 'single-label', task: 'text-classification', of: { text, label } };
  }
  if (task === undefined && text !== undefined) {
    return { kind: 'plain', task: 'language-modeling', of: { text } };
  }
  return null;
}

/** Columns that tell of a text without being what is learned from it. */
const BESIDE = new Set(
  (
    'id idx index key uid guid uuid split fold url link source src file filename path page date time timestamp year author user ' +
    'username name lang language length meta metadata license negative unnamed: 0 references'
  ).split(/ (?!0)/),
);
const BESIDE_END = /[_-](id|idx|at|date|time|url|length|name)$/;

/** Columns beside those that were found which may be labels under a name that is not known. */
export function strangeColumns(columns: ReadonlySet<string>, { of }: TextColumns): string[] {
  const known = new Set([...Object.values(of), ...TEXT, ...PAIRS.flat(), ...BESIDE, '']);
  return [...columns].filter((name) => !known.has(name) && !BESIDE_END.test(name));
}

/** The columns of texts that nothing is known of: two where they come in pairs, else one, or words; null for neither. */
export function askedColumns(columns: ReadonlySet<string>): TextColumns | null {
  const pair = PAIRS.find(([a, b]) => columns.has(a) && columns.has(b));
  if (pair) {
    return { kind: 'similar', task: 'sentence-similarity', of: { text: pair[0], text2: pair[1] } };
  }
  const plain = recogniseColumns(columns, 'language-modeling');
  const words = firstOf(columns, WORDS);
  if (plain || words === undefined) return plain;
  // Tags are not asked for; what stands for them is never looked at.
  return { kind: 'tags', task: 'token-classification', of: { words, tags: words } };
}

/** In words: what a table must have for a task, or for any. */
export function neededColumns(task?: TextTaskName): string {
  const needs: Readonly<Record<TextTaskName, string>> = {
    'text-classification': 'text (text2 for pairs) and label',
    'token-classification': 'words and tags (lists), or the columns of a CoNLL file',
    'language-modeling': 'text',
    translation: 'source and target, or two columns named by their languages (en, de)',
    summarization: 'source and target, or document and summary',
    'text-generation': 'text, or source and target, or prompt and completion',
    'question-answering': 'question, context and answers (as SQuAD has them)',
    'sentence-similarity': 'text and text2, perhaps with score',
  };
  if (task !== undefined) return needs[task];
  return 'text and label; text alone; source and target; words and tags; question, context and answers';
}
