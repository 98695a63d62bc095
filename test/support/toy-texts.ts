/** Toy data of texts for whole runs, and tiny bases that know its words. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type FitOptions, fit as fitRun } from '../../src/run/index.node.js';
import { KeyedRandom } from '../../src/util/index.js';
import { temporaryFolder } from './pictures.js';
import { writeTinyTextBase } from './tiny-text-base.js';

const GOOD = ['lovely', 'bright', 'warm', 'kind'];
const BAD = ['dull', 'cold', 'grim', 'harsh'];
export const NAMES = ['ann', 'bob', 'cleo', 'dan'];
export const VERBS = ['saw', 'met', 'left', 'found'];
const random = KeyedRandom.of(7);

/** One of `list`, always the same for a key. */
export const pick = (list: readonly string[], key: string) =>
  list[random.fold(key).integer(0, list.length)]!;

/** Sentences whose word in the middle tells the class; their length varies. */
export function opinions(count: number, salt: string): string[][] {
  return Array.from({ length: count }, (_, i) => {
    const good = i % 2 === 0;
    const words = [
      'the film',
      ...Array.from({ length: i % 5 }, (_, k) => pick(VERBS, `${salt}${i}:${k}`)),
      'was',
      pick(good ? GOOD : BAD, `${salt}${i}`),
      'today',
    ];
    return [words.join(' '), good ? 'good' : 'bad'];
  });
}

/** A table without quotes. */
export const csv = (head: string, rows: readonly (readonly string[])[]) =>
  `${[head, ...rows.map((r) => r.join(','))].join('\n')}\n`;

/** CoNLL sentences in which names are persons. */
function named(count: number, salt: string): string {
  const sentence = (_: unknown, i: number) => {
    const [who, verb, whom] = [
      pick(NAMES, `${salt}${i}w`),
      pick(VERBS, `${salt}${i}v`),
      pick(NAMES, `${salt}${i}m`),
    ];
    return `the O\n${who} B-PER\n${verb} O\n${whom} B-PER\ntoday O\n\n`;
  };
  return Array.from({ length: count }, sentence).join('');
}

/**
 * SQuAD's form: who did it, in contexts of any length.
 * @param lacking every other context is one in which nobody did it
 */
export function asked(from: number, count: number, lacking = false): string {
  const article = (_: unknown, k: number) => {
    const i = from + k;
    const [name, verb] = [pick(NAMES, `q${i}`), pick(VERBS, `v${i}`)];
    const filler = 'the film was today '.repeat(2 + (i % 12));
    if (lacking && i % 2 === 1) {
      const qas = [{ id: `${i}`, question: 'who ?', answers: [], is_impossible: true }];
      return { context: `${filler}the film was`, qas };
    }
    const context = `${filler}${name} ${verb} it. the film was`;
    const answers = [{ text: name, answer_start: filler.length }];
    return { context, qas: [{ id: `${i}`, question: 'who ?', answers }] };
  };
  return JSON.stringify({ data: [{ paragraphs: Array.from({ length: count }, article) }] });
}

/** Two texts that say the same: all names with all verbs. */
export const ALIKE = Array.from({ length: 64 }, (_, i) => {
  const [name, verb] = [NAMES[i % 4]!, VERBS[Math.floor(i / 4) % 4]!];
  return [`${name} ${verb} the film`, `the film ${verb} ${name} today`];
});

/** Files of the sets, by folder. */
function sets(): Record<string, Record<string, string>> {
  const lines = opinions(200, 't').map(([text]) => `${text} .`);
  const pairs = Array.from({ length: 120 }, (_, i) => {
    const [a, b] = [pick(NAMES, `x${i}`), pick(VERBS, `y${i}`)];
    return [`${a} ${b}`, `${b} ${a}`];
  });
  return {
    opinions: {
      'train.csv': csv('text,label', opinions(96, 'a')),
      'valid.csv': csv('text,label', opinions(24, 'b')),
      'test.csv': csv('text,label', opinions(24, 'c')),
    },
    names: {
      'train.conll': named(64, 'a'),
      'valid.conll': named(16, 'b'),
      'test.conll': named(16, 'c'),
    },
    lines: {
      'train.txt': lines.slice(0, 160).join('\n'),
      'valid.txt': lines.slice(160).join('\n'),
    },
    // Words in another order.
    pairs: { 'train.csv': csv('source,target', pairs) },
    questions: { 'train.json': asked(0, 64), 'valid.json': asked(64, 16) },
    alike: {
      'train.csv': csv('anchor,positive', ALIKE.slice(0, 48)),
      'valid.csv': csv('anchor,positive', ALIKE.slice(0, 16)),
    },
  };
}

/** What {@link toyTexts} gives. */
export interface ToyTexts {
  /** Path of a set (opinions, names, lines, pairs, questions, alike), a base (bert, gpt2, t5), or a run to be made. */
  readonly at: (name: string) => string;
  /** Writes another set; returns its folder. */
  readonly write: (name: string, files: Readonly<Record<string, string>>) => string;
  /** A quick run. */
  readonly adapt: (options: Partial<FitOptions>) => ReturnType<typeof fitRun>;
}

/** A folder with toy sets and bases for the tests of a file. */
export function toyTexts(): ToyTexts {
  const { path: root, remove } = temporaryFolder();
  const at = (name: string) => join(root, name);
  const write = (name: string, files: Readonly<Record<string, string>>) => {
    mkdirSync(at(name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(at(name), file), text);
    return at(name);
  };
  beforeAll(async () => {
    const words = [...GOOD, ...BAD, ...NAMES, ...VERBS, 'the film was today'].join(' ');
    for (const type of ['bert', 'gpt2', 't5'])
      await writeTinyTextBase(at(type), [words, words], type);
    for (const [name, files] of Object.entries(sets())) write(name, files);
  });
  afterAll(remove);
  const adapt: ToyTexts['adapt'] = (options) =>
    fitRun({ batch: 8, lr: 0.003, seed: 3, ...options });
  return { at, write, adapt };
}
