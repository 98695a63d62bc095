/** Texts by the command line: the contract of `--json`, a run that is killed, input that cannot be used. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, graft, resultOf, startGraft } from '../support/cli.js';
import { temporaryFolder } from '../support/pictures.js';
import { writeTinyTextBase } from '../support/tiny-text-base.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);

const words = ['lovely', 'bright', 'warm', 'dull', 'cold', 'grim', 'the', 'film', 'was', 'today'];
const rows = Array.from({ length: 80 }, (_, i) => {
  const good = i % 2 === 0;
  const word = words[(good ? 0 : 3) + (i % 3)]!;
  return `the film was ${'today '.repeat(i % 4)}${word},${good ? 'good' : 'bad'}`;
});

function write(name: string, text: string | Uint8Array): string {
  writeFileSync(at(name), text);
  return at(name);
}

beforeAll(async () => {
  await writeTinyTextBase(at('base'), [words.join(' '), words.join(' ')]);
  write('reviews.csv', `text,label\n${rows.join('\n')}\n`);
});

const adapt = (data: string, out: string, ...more: string[]) =>
  graft(['fit', data, '--base', at('base'), '--out', at(out), '--json', ...more]);

describe('graft on texts', () => {
  test('fit, evaluate, predict: one object each, with the names of the contract', async () => {
    const flags = ['--epochs', '8', '--batch', '8', '--lr', '0.003', '--control'];
    const fitted = await adapt(at('reviews.csv'), 'run', ...flags);
    expect(fitted).toMatchObject({ code: 0 });
    const summary = fitted.json();
    expect(Object.keys(summary).sort()).toEqual(
      [
        ...['base', 'best', 'control', 'epochs', 'method', 'metrics', 'out', 'parameters'],
        ...['seconds', 'task', 'transferGain'],
      ].sort(),
    );
    expect(summary).toMatchObject({ task: 'text-classification', epochs: 8 });
    expect((summary.metrics as { accuracy: number }).accuracy).toBeGreaterThan(0.9);
    const scored = await graft(['evaluate', at('run'), at('reviews.csv'), '--json']);
    expect(scored.json()).toMatchObject({ unit: 'texts', samples: 80 });
    const said = await graft(['predict', at('run'), 'the film was lovely', '--json', '--top', '1']);
    expect(said.json()).toMatchObject({
      predictions: [{ text: 'the film was lovely', answers: [{ label: 'good' }] }],
    });
  });

  test('what is written comes as it is written, and as the options say', async () => {
    const base = await writeTinyTextBase(at('gpt2'), [words.join(' '), words.join(' ')], 'gpt2');
    const ask = (...more: string[]) => graft(['predict', base, 'the film', ...more]);
    const whole = await ask('--max-new-tokens', '6');
    expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/^the film: ./) });
    const streamed = await ask('--max-new-tokens', '6', '--stream');
    expect(streamed).toMatchObject({ code: 0, stdout: whole.stdout });
    const stop = whole.stdout.slice(11, 13).trim();
    const penalties = ['--length-penalty', '2', '--repetition-penalty', '1.01', '--min-p', '1'];
    const chosen = await ask('--max-new-tokens', '6', ...penalties, '--stop', stop, '--json');
    const [{ output }] = chosen.json().predictions as [{ output: string }];
    expect(output.length).toBeLessThan(whole.stdout.length - 'the film: \n'.length);
    expect(output).toContain(stop);
    const both = await ask('--stream', '--json');
    expect(both.code).toBe(2);
    expect(errorOf(both)).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/--json/),
    });
    const wrong = await ask('--stream', '--no-repeat-ngram', '0.5');
    expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/1 long/) });
  });

  test('a run that is killed goes on to the same weights', async () => {
    const flags = [
      '--epochs',
      '3',
      '--batch',
      '4',
      '--augment',
      'light',
      '--checkpoint-every',
      '2',
    ];
    expect(await adapt(at('reviews.csv'), 'straight', ...flags)).toMatchObject({ code: 0 });
    const args = ['fit', at('reviews.csv'), '--base', at('base'), '--out', at('killed'), ...flags];
    const running = startGraft(args);
    const log = join(at('killed'), 'metrics.jsonl');
    const logged = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length : 0);
    await running.until(() => logged() > 20);
    running.child.kill('SIGKILL');
    expect((await running.ended).signal).toBe('SIGKILL');
    expect(await graft(['fit', '--resume', '--out', at('killed')])).toMatchObject({ code: 0 });
    expect(resultOf(at('killed'))).toEqual(resultOf(at('straight')));
  });
});

describe('what cannot be used ends with code 3 and a word on what to do, and leaves nothing', () => {
  const long = `text,label\n${rows.join('\n')}\n"${'x'.repeat(2 * 1024 * 1024)}",good\n`;
  const cases: Readonly<Record<string, readonly [string, string | Uint8Array, RegExp]>> = {
    'labels that differ by case': [
      'case.csv',
      `text,label\n${rows.join('\n')}\nwarm film,Good\n`,
      /Good.*good|good.*Good/,
    ],
    'one class': ['one.csv', 'text,label\na b,good\nc d,good\n', /at least two classes/],
    'another encoding': [
      'latin.csv',
      new Uint8Array([...Buffer.from('text,label\ncaf'), 0xe9, ...Buffer.from(',good\n')]),
      /UTF-8/,
    ],
    'a line without end': ['long.csv', long, /long\.csv.*line/s],
    'columns that say nothing': ['other.csv', 'a,b\n1,2\n', /columns a, b/],
    'broken CoNLL columns': ['broken.conll', 'ann B-PER\nsaw\n\nbob B-PER\n', /line 2/],
  };
  test.each(Object.entries(cases))('%s', async (_, [name, text, message]) => {
    const outcome = await adapt(write(name, text), `no-${name}`, '--epochs', '1', '--strict');
    expect(outcome.code).toBe(3);
    expect(errorOf(outcome).message).toMatch(message);
    expect(existsSync(at(`no-${name}`))).toBe(false);
  });

  test('a tokenizer of another model', async () => {
    mkdirSync(at('mixed'));
    for (const file of ['config.json', 'model.safetensors', 'tokenizer_config.json']) {
      writeFileSync(join(at('mixed'), file), readFileSync(join(at('base'), file)));
    }
    const tokenizer = JSON.parse(readFileSync(join(at('base'), 'tokenizer.json'), 'utf8'));
    for (let i = 0; i < 9; i++) tokenizer.model.vocab[`new${i}`] = 1000 + i;
    writeFileSync(join(at('mixed'), 'tokenizer.json'), JSON.stringify(tokenizer));
    const outcome = await graft([
      ...['fit', at('reviews.csv'), '--base', at('mixed'), '--out', at('no'), '--json'],
    ]);
    expect(outcome.code).not.toBe(0);
    expect(errorOf(outcome).message).toMatch(/tokenizer has \d+ tokens, the model rows for/);
  });

  test('a label that the model does not know', async () => {
    const data = write('unknown.csv', 'text,label\nthe film was warm,superb\n');
    const outcome = await graft(['evaluate', at('run'), data, '--json']);
    expect(outcome.code).toBe(3);
    expect(errorOf(outcome).message).toMatch(/superb/);
  });
});
