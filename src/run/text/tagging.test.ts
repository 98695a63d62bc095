/** Runs on tags of every scheme, and data that is scored by what the model answers, not by what it looks like. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { csv, NAMES, opinions, pick, toyTexts, VERBS } from '../../../test/support/toy-texts.js';
import { evaluateRun, predictRun, type RunEvent } from '../index.node.js';

const { at, write, adapt } = toyTexts();

/** Two persons side by side in every other sentence. */
const sentences = (count: number, salt: string, tag: (second: boolean) => string): string =>
  Array.from({ length: count }, (_, i) => {
    const [who, whom] = ['w', 'm'].map((k) => pick(NAMES, `${salt}${i}${k}`));
    const verb = pick(VERBS, `${salt}${i}`);
    return i % 2
      ? `the O\n${who} ${tag(false)}\n${whom} ${tag(true)}\n${verb} O\n\n`
      : `the O\n${who} ${tag(false)}\n${verb} O\ntoday O\n\n`;
  }).join('');
const SCHEMES: Readonly<Record<string, (second: boolean) => string>> = {
  IOB1: (second) => (second ? 'B-PER' : 'I-PER'),
  IOB2: () => 'B-PER',
  BILOU: () => 'U-PER',
  IOBES: () => 'S-PER',
};
const made = () => ({ base: at('bert'), epochs: 5, maxLength: 32 });

describe('tags of entities', () => {
  beforeAll(async () => {
    const [train, valid] = ['a', 'b'].map((salt) => sentences(48, salt, SCHEMES.BILOU!));
    const data = write('bilou', { 'train.conll': train!, 'valid.conll': valid! });
    await adapt({ ...made(), data, out: at('tagger') });
    for (const [name, tag] of Object.entries(SCHEMES)) {
      write(`more-${name}`, { 'more.conll': sentences(16, 'c', tag) });
    }
  });

  test('are learned as IOB2, and two that touch stay two', async () => {
    const record = JSON.parse(readFileSync(join(at('tagger'), 'run.json'), 'utf8'));
    expect(record.data.classes).toEqual(['O', 'B-PER', 'I-PER']);
    const { predictions } = await predictRun(at('tagger'), ['the ann dan met']);
    expect(predictions[0]!.entities!.map((e) => e.text)).toEqual(['ann', 'dan']);
  });

  test.each(Object.keys(SCHEMES))('are scored on %s', async (scheme) => {
    const { metrics, notes } = await evaluateRun(at('tagger'), at(`more-${scheme}`));
    const same = await evaluateRun(at('tagger'), at('more-IOB2'));
    expect(metrics).toEqual(same.metrics);
    expect(metrics.f1).toBeGreaterThan(0.9);
    const told = scheme === 'IOB2' ? undefined : [`the tags are ${scheme} and read as IOB2`];
    expect(notes).toEqual(told);
  });

  test.each(Object.keys(SCHEMES))(
    'of a foreign model of BILOU are scored on %s',
    async (scheme) => {
      const foreign = at('foreign');
      cpSync(join(at('tagger'), 'model'), foreign, { recursive: true });
      const config = JSON.parse(readFileSync(join(foreign, 'config.json'), 'utf8'));
      config.id2label = { 0: 'O', 1: 'U-PER', 2: 'L-PER' };
      config.label2id = { O: 0, 'U-PER': 1, 'L-PER': 2 };
      writeFileSync(join(foreign, 'config.json'), JSON.stringify(config));
      const { metrics } = await evaluateRun(foreign, at(`more-${scheme}`));
      const same = await evaluateRun(at('tagger'), at('more-IOB2'));
      expect(metrics.f1).toBe(same.metrics.f1);
      const { predictions } = await predictRun(foreign, ['the ann dan met']);
      expect(predictions[0]!.entities!.map((e) => e.text)).toEqual(['ann', 'dan']);
    },
  );
});

test('tags that mark no pieces are scored word by word', async () => {
  const rows = (salt: string) =>
    Array.from({ length: 48 }, (_, i) =>
      JSON.stringify({
        tokens: ['the', pick(NAMES, `${salt}${i}`), pick(VERBS, `${salt}${i}`)],
        ner_tags: [0, 1, 2],
      }),
    ).join('\n');
  const data = write('numbers', { 'train.jsonl': rows('a'), 'valid.jsonl': rows('b') });
  const notes: string[] = [];
  const listener = (event: RunEvent) => {
    if (event.type === 'note') notes.push(event.text);
  };
  const run = await adapt({ ...made(), data, out: at('plain-tags'), listener });
  const record = JSON.parse(readFileSync(join(at('plain-tags'), 'run.json'), 'utf8'));
  expect(record.primary).toEqual({ metric: 'accuracy', better: 'higher' });
  expect(Object.keys(run.summary.metrics).sort()).toEqual(['accuracy', 'f1']);
  expect(run.summary.metrics.accuracy).toBe(1);
  expect(run.summary.metrics.f1).toBe(1);
  const [first] = (await predictRun(at('plain-tags'), ['the ann met'])).predictions;
  expect(first).not.toHaveProperty('entities');
  expect(first!.tags).toEqual([
    { tag: '0', text: 'the', start: 0, end: 3 },
    { tag: '1', text: 'ann', start: 4, end: 7 },
    { tag: '2', text: 'met', start: 8, end: 11 },
  ]);
  expect(notes).toContainEqual(expect.stringContaining('numbers without names'));
});

describe('what the model answers decides how labels are read:', () => {
  const quick = () => ({ ...made(), epochs: 1 });

  test('whole numbers of a model of scores are scores', async () => {
    const scored = opinions(24, 's').map(([text], i) => [text!, `${i % 3}.5`]);
    const data = write('scores', { 'train.csv': csv('text,score', scored) });
    await adapt({ ...quick(), data, out: at('scorer') });
    const whole = write('whole', {
      'a.csv': csv('text,score', [
        ['the film', '1'],
        ['dull', '4'],
      ]),
    });
    const { metrics, samples } = await evaluateRun(at('scorer'), whole);
    expect(samples).toBe(2);
    expect(metrics).toHaveProperty('pearson');
  });

  test('one label a row of a model of several is still judged label by label', async () => {
    const rows = opinions(24, 'm').map(([text, label], i) => [text!, i % 3 ? label! : 'good|bad']);
    const data = write('several', { 'train.csv': csv('text,labels', rows) });
    await adapt({ ...quick(), data, out: at('several-run') });
    const one = write('one', { 'a.csv': csv('text,labels', opinions(6, 'o')) });
    const { metrics } = await evaluateRun(at('several-run'), one);
    expect(metrics).toHaveProperty('exactMatch');
  });

  test('a bar in a label of a model of one class is part of its name, which it does not know', async () => {
    await adapt({ ...quick(), data: at('opinions'), out: at('one-run') });
    const bars = write('barred', { 'a.csv': csv('text,labels', [['the film', 'good|bad']]) });
    await expect(evaluateRun(at('one-run'), bars)).rejects.toThrow(/good\|bad/);
  });
});
