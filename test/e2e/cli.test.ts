/** What every command gives: exit codes, `--json`, files; one small run serves them all. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, graft, hashOf, type Outcome, resultOf } from '../support/cli.js';
import { temporaryFolder, writePictures } from '../support/pictures.js';
import { writeTinyBase } from '../support/tiny-base.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);
const [data, base, run] = [at('data'), at('base'), at('run')];
const fitArgs = ['fit', data, '--base', base, '--epochs', '3', '--batch', '4', '--size', '32'];

/** Names of pictures: so many of each class in a part. */
function named(part: string, classes: readonly string[], count: number): string[] {
  return classes.flatMap((c) => Array.from({ length: count }, (_, i) => `${part}/${c}/${i}.png`));
}

let fitted: Outcome;
beforeAll(async () => {
  const classes = ['ant', 'bee', 'cat'];
  await writePictures(data, [...named('train', classes, 6), ...named('valid', classes, 2)]);
  writeFileSync(join(data, 'SOURCE.md'), 'where the pictures come from');
  await writeTinyBase(base);
  fitted = await graft([...fitArgs, '--seed', '1', '--out', run, '--json']);
});

describe('graft fit', () => {
  test('--json leaves one object on stdout, and progress on stderr', () => {
    expect(fitted).toMatchObject({ code: 0, signal: null });
    const summary = fitted.json();
    expect(Object.keys(summary)).toEqual([
      'task',
      'base',
      'method',
      'metrics',
      'best',
      'epochs',
      'seconds',
      'parameters',
      'out',
    ]);
    expect(summary).toMatchObject({
      task: 'image-classification',
      base,
      method: 'fine-tune',
      metrics: { accuracy: expect.any(Number), f1: expect.any(Number) },
      best: { epoch: expect.any(Number), step: expect.any(Number), accuracy: expect.any(Number) },
      epochs: 3,
      parameters: { total: expect.any(Number), trainable: expect.any(Number) },
      out: run,
    });
    expect(fitted.stderr).toMatch(/epoch 3\/3: loss [\d.]+, accuracy [\d.]+ %/);
    // A word about the pictures that lies beside them is not data.
    expect(fitted.stderr).not.toMatch(/left out/);
  });

  test('leaves the files of a run, and nothing half-written', () => {
    expect(readdirSync(run).sort()).toEqual([
      'checkpoints',
      'metrics.jsonl',
      'model',
      'predictions.json',
      'report.html',
      'run.json',
      'tensorboard',
    ]);
    expect(readdirSync(join(run, 'model')).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'preprocessor_config.json',
    ]);
    const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    expect(record).toMatchObject({
      status: 'done',
      choices: { seed: 1, epochs: 3, data, base },
      data: { classes: ['ant', 'bee', 'cat'], train: 18, valid: 6, test: 0, skipped: [] },
    });
    expect(record.command).toBe(`graft ${fitArgs.join(' ')} --seed 1 --out ${run} --json`);
  });

  test('is repeatable: one seed gives the same bits, another one gives others', async () => {
    const [again, other] = [at('again'), at('other')];
    const text = await graft([...fitArgs, '--seed', '1', '--out', again]);
    expect(text).toMatchObject({ code: 0, stdout: expect.stringMatching(/^fine-tune of .*\n/) });
    expect(text.stdout).toMatch(/validation: accuracy [\d.]+ %, F1 [\d.]+ % of 6 pictures/);
    expect(resultOf(again)).toEqual(resultOf(run));
    await graft([...fitArgs, '--seed', '2', '--out', other]);
    expect(resultOf(other)['model/model.safetensors']).not.toBe(
      resultOf(run)['model/model.safetensors'],
    );
  });

  test('validates on nothing when asked, and then keeps the last model', async () => {
    const whole = at('whole');
    const from = join(data, 'train');
    const args = ['--base', base, '--epochs', '1', '--size', '32', '--valid', '0'];
    const { code, json } = await graft(['fit', from, ...args, '--out', whole, '--json']);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ metrics: {}, best: null, epochs: 1 });
    expect(existsSync(join(whole, 'model/model.safetensors'))).toBe(true);
  });
});

describe('commands that look', () => {
  test('bases lists the one in the package and the architectures', async () => {
    const { code, json } = await graft(['bases', '--json']);
    expect(code).toBe(0);
    const { embedded, architectures } = json() as {
      embedded: { name: string }[];
      architectures: { modelType: string }[];
    };
    expect(embedded.map((b) => b.name)).toContain('graft/mobilenet_v2');
    expect(architectures.map((a) => a.modelType)).toEqual(
      expect.arrayContaining(['resnet', 'vit']),
    );
  });

  test('info knows a base from a run', async () => {
    const [ofBase, ofRun] = await Promise.all([
      graft(['info', 'graft/mobilenet_v2', '--json']),
      graft(['info', run, '--json']),
    ]);
    expect(ofBase.json()).toMatchObject({ kind: 'base', modelType: 'mobilenet_v2' });
    expect(ofRun.json()).toMatchObject({
      kind: 'run',
      status: 'done',
      classes: 3,
      firstClasses: ['ant', 'bee', 'cat'],
      input: expect.stringMatching(/^32 x 32/),
    });
  });

  test('--version and --help end well, no command does not', async () => {
    const [version, help, none] = await Promise.all([
      graft(['--version']),
      graft(['fit', '--help']),
      graft([]),
    ]);
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/--checkpoint-every/) });
    expect(none).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('a finished run at work', () => {
  const broken = at('inbox/broken.png');
  const valid = join(data, 'valid');

  beforeAll(async () => {
    await writePictures(at('inbox'), ['one.png', 'deep/two.jpg'], { from: 70 });
    writeFileSync(broken, readFileSync(at('inbox/one.png')).subarray(0, 60));
    writeFileSync(at('inbox/notes.txt'), 'not asked for');
  });

  test('evaluate scores the part that was not trained on, as the run itself did', async () => {
    const { code, json } = await graft(['evaluate', run, data, '--json']);
    expect(code).toBe(0);
    const { metrics } = fitted.json() as { metrics: { accuracy: number; logLoss: number } };
    const scored = json() as { metrics: typeof metrics };
    expect(scored).toMatchObject({ part: 'valid', samples: 6, skipped: [] });
    expect(scored.metrics.accuracy).toBe(metrics.accuracy);
    expect(scored.metrics.logLoss).toBeCloseTo(metrics.logLoss, 5);
  });

  test('evaluate takes data of one class, and names a class that it does not know', async () => {
    await writePictures(at('some/bee'), ['a.png', 'b.png']);
    await writePictures(at('odd'), ['bee/a.png', 'wolf/b.png', 'yak/c.png']);
    const [some, odd] = await Promise.all([
      graft(['evaluate', run, at('some'), '--tta']),
      graft(['evaluate', run, at('odd'), '--json']),
    ]);
    expect(some).toMatchObject({ code: 0, stdout: expect.stringMatching(/^2 pictures\naccuracy/) });
    expect(odd.code).toBe(3);
    expect(errorOf(odd)).toEqual({
      code: 'unknown-label',
      message: 'The run does not know the classes wolf, yak; it tells apart ant, bee, cat.',
    });
  });

  test('predict takes folders and files, and tells of a damaged one among good ones', async () => {
    const inputs = [at('inbox'), join(valid, 'bee/0.png')];
    const [plain, tta] = await Promise.all([
      graft(['predict', run, ...inputs, '--json', '--top', '2']),
      graft(['predict', run, ...inputs, '--json', '--tta', '--top', '9']),
    ]);
    type List = {
      predictions: { file: string; answers: { label: string; probability: number }[] }[];
    };
    const list = plain.json() as unknown as List;
    expect(plain.code).toBe(0);
    expect(list).toMatchObject({
      skipped: [{ file: broken, reason: expect.stringMatching(/\w/) }],
    });
    expect(list.predictions.map((p) => p.file)).toEqual([
      at('inbox/deep/two.jpg'),
      at('inbox/one.png'),
      join(valid, 'bee/0.png'),
    ]);
    for (const { answers } of list.predictions) expect(answers).toHaveLength(2);
    const { predictions } = tta.json() as unknown as List;
    for (const [i, { answers }] of predictions.entries()) {
      expect(answers.map((a) => a.label).sort()).toEqual(['ant', 'bee', 'cat']);
      expect(answers.reduce((sum, a) => sum + a.probability, 0)).toBeCloseTo(1, 5);
      expect(answers[0]!.probability).not.toBe(list.predictions[i]!.answers[0]!.probability);
    }
  });

  test('predict ends with 3 where nothing can be classified', async () => {
    mkdirSync(at('empty'));
    const [bad, none, gone] = await Promise.all([
      graft(['predict', run, broken, '--json']),
      graft(['predict', run, at('empty')]),
      graft(['predict', run, at('inbox/none.png')]),
    ]);
    expect([bad.code, none.code, gone.code]).toEqual([3, 3, 3]);
    expect(errorOf(bad)).toMatchObject({ code: 'unusable-files' });
    expect(none.stderr).toMatch(/^error: There is no picture in .*empty\. Give pictures/);
    expect(gone.stderr).toMatch(/^error: There is no file or folder .*none\.png\.\n$/);
  });

  test('report is written anew, without the pictures too', async () => {
    const path = join(run, 'report.html');
    const before = readFileSync(path, 'utf8');
    writeFileSync(path, '');
    const { code, json } = await graft(['report', run, '--json']);
    expect([code, json()]).toEqual([0, { report: path }]);
    expect(readFileSync(path, 'utf8').length).toBeGreaterThan(before.length * 0.9);
  });

  test('export writes ONNX and Hugging Face, and overwrites nothing unasked', async () => {
    const [onnx, folder] = [at('out/model.onnx'), at('hub')];
    const first = await graft(['export', run, '--to', 'onnx', '--out', onnx, '--json']);
    expect(first.json()).toMatchObject({
      to: 'onnx',
      out: onnx,
      files: [onnx, at('out/model.json')],
    });
    const hash = hashOf(onnx);
    writeFileSync(onnx, 'mine');
    const refused = await graft(['export', run, '--to', 'onnx', '--out', onnx, '--json']);
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({
      code: 'exists',
      message: `${onnx} is there already. Overwrite it with --force.`,
    });
    expect(readFileSync(onnx, 'utf8')).toBe('mine');
    const forced = await graft(['export', run, '--to', 'onnx', '--out', onnx, '--force']);
    expect([forced.code, hashOf(onnx)]).toEqual([0, hash]);

    const hub = await graft(['export', run, '--to', 'huggingface', '--out', folder]);
    expect(hub).toMatchObject({ code: 0, stdout: expect.stringMatching(/loads in transformers/) });
    // What was exported is a model that graft itself takes.
    const answer = await graft(['predict', folder, join(valid, 'bee/0.png'), '--json']);
    const { predictions } = answer.json() as unknown as { predictions: { file: string }[] };
    expect(predictions.map((p) => p.file)).toEqual([join(valid, 'bee/0.png')]);
  });
});
