/** Data, bases and choices that cannot be: a word on what is wrong, the right exit code, nothing written. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, graft, type Outcome } from '../support/cli.js';
import { temporaryFolder, writePictures } from '../support/pictures.js';
import { writeTinyBase } from '../support/tiny-base.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);
const [good, base, out] = [at('good'), at('base'), at('out')];

const eight = Array.from({ length: 8 }, (_, i) => `${i}.png`);
/** Class folders with pictures of the same names in each. */
const classes = (names: readonly string[]) => names.flatMap((c) => eight.map((f) => `${c}/${f}`));

beforeAll(async () => {
  await writePictures(good, classes(['ant', 'bee']));
  await writeTinyBase(base);
});

const adapt = (data: string, ...more: string[]) =>
  graft(['fit', data, '--base', base, '--epochs', '1', '--size', '32', '--out', out, ...more]);

/** An error in one line on stderr, in words, with no folder left behind. */
function refused({ code, stdout, stderr }: Outcome, exit: number, words: RegExp): void {
  const lines = stderr.split('\n').filter((line) => !/^ *\d+ %/.test(line)); // progress
  expect(lines.join('\n')).toMatch(words);
  expect(lines[0]).toMatch(/^error: /);
  expect(stderr).not.toMatch(/^ {4}at /m); // no stack trace
  expect([code, stdout]).toEqual([exit, '']);
  expect(existsSync(out)).toBe(false);
}

describe('data', () => {
  test('an empty class folder', async () => {
    await writePictures(at('hollow'), classes(['ant', 'bee']));
    mkdirSync(at('hollow/cat'));
    refused(await adapt(at('hollow')), 3, /There is no usable picture in cat\. Put pictures there/);
  });

  test('one class only', async () => {
    await writePictures(at('one'), classes(['ant']));
    refused(
      await adapt(at('one')),
      3,
      /There is one class only, "ant"; a classifier needs at least/,
    );
  });

  test('nothing there', async () => {
    refused(await adapt(at('nowhere')), 3, /There is no file or folder .*nowhere\./);
  });

  test('one file with two labels in a list', async () => {
    const rows = ['file,label', 'ant/0.png,ant', 'bee/0.png,bee', 'ant/0.png,bee'];
    writeFileSync(join(good, 'twice.csv'), rows.join('\n'));
    const outcome = await adapt(join(good, 'twice.csv'));
    refused(outcome, 3, /names ant\/0\.png twice with two labels: ant in line 2, bee in line 4/);
  });

  test('files of one name in several classes are pictures of their own', async () => {
    const run = at('same-names');
    const outcome = await graft(['fit', good, '--base', base, '--epochs', '1', '--out', run]);
    expect(outcome.code).toBe(0);
    const { data } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    expect(data).toMatchObject({ train: 12, valid: 4, skipped: [] });
  });

  describe('with unreadable pictures', () => {
    const data = at('spoilt');
    beforeAll(async () => {
      await writePictures(data, classes(['ant', 'bee']), { width: 60, height: 60 });
      truncateSync(join(data, 'ant/1.png'), 900);
      writeFileSync(join(data, 'bee/2.png'), 'no picture at all');
      writeFileSync(join(data, 'bee/3.png'), '');
    });

    test('they are left out, with a list on stderr and in run.json', async () => {
      const run = at('spoilt-run');
      const args = ['fit', data, '--base', base, '--epochs', '1', '--size', '32', '--out', run];
      const outcome = await graft([...args, '--json']);
      expect(outcome.code).toBe(0);
      expect(outcome.json()).toMatchObject({ epochs: 1 });
      expect(outcome.stderr).toMatch(
        /^left out 3 files: ant\/1\.png: .+; bee\/2\.png: .+; bee\/3\.png: .+$/m,
      );
      const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as {
        data: { train: number; valid: number; skipped: { id: string; reason: string }[] };
      };
      const { train, valid, skipped } = record.data;
      expect(train + valid).toBe(13);
      expect(skipped.map((s) => s.id)).toEqual(['ant/1.png', 'bee/2.png', 'bee/3.png']);
      expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('bee/2.png');
    });

    test('--strict makes them an error that names them', async () => {
      const outcome = await adapt(data, '--strict');
      refused(outcome, 3, /3 of the files cannot be used:\n {2}ant\/1\.png: .+\n {2}bee\/2\.png: /);
    });
  });
});

describe('a base', () => {
  const withBase = (name: string, ...more: string[]) =>
    graft(['fit', good, '--epochs', '1', '--out', out, '--base', name, ...more]);

  test('that does not exist: the nearest name is told', async () => {
    refused(
      await withBase('graft/mobilnet_v2'),
      2,
      /no embedded base 'graft\/mobilnet_v2'\. Did you mean 'graft\/mobilenet_v2'\?/,
    );
    refused(await withBase('who/knows'), 3, /who\/knows/);
  });

  test('of another task', async () => {
    mkdirSync(at('text'));
    writeFileSync(at('text/config.json'), '{"model_type": "bert", "hidden_size": 8}');
    copyFileSync(join(base, 'model.safetensors'), at('text/model.safetensors'));
    refused(await withBase(at('text')), 2, /bert/);
  });

  test('with damaged weights, and with those of another network', async () => {
    for (const name of ['torn', 'mixed']) {
      mkdirSync(at(name));
      for (const file of ['config.json', 'preprocessor_config.json', 'model.safetensors']) {
        copyFileSync(join(base, file), at(`${name}/${file}`));
      }
    }
    truncateSync(at('torn/model.safetensors'), 2000);
    refused(await withBase(at('torn')), 3, /torn\/model\.safetensors/);
    const config = JSON.parse(readFileSync(at('mixed/config.json'), 'utf8'));
    writeFileSync(at('mixed/config.json'), JSON.stringify({ ...config, embedding_size: 4 }));
    refused(await withBase(at('mixed')), 3, /mixed/);
  });

  test('that is no ONNX file', async () => {
    writeFileSync(at('bad.onnx'), 'words');
    refused(await withBase(at('bad.onnx')), 3, /bad\.onnx|ONNX/);
  });
});

describe('choices', () => {
  test('--json tells of them too, in one object', async () => {
    const [range, parse] = await Promise.all([
      adapt(good, '--weight-decay', '11', '--json'),
      adapt(good, '--lr', 'fast', '--json'),
    ]);
    expect([range.code, parse.code]).toEqual([2, 2]);
    expect(errorOf(range)).toEqual({
      code: 'config',
      message: '--weight-decay must be a number from 0 to 10, got 11.',
    });
    expect(errorOf(parse)).toEqual({
      code: 'usage',
      message: "option '--lr <x>' argument 'fast' is invalid. It must be a number.",
    });
  });

  test('a place for the run that is taken, before anything is read', async () => {
    mkdirSync(at('taken'));
    writeFileSync(at('taken/letter.txt'), 'mine');
    const [taken, below] = await Promise.all([
      graft(['fit', at('nowhere'), '--out', at('taken')]),
      graft(['fit', at('nowhere'), '--out', at('taken/letter.txt/run')]),
    ]);
    refused(taken, 2, /taken is not empty\. Choose another folder with --out\./);
    refused(below, 3, /letter\.txt\/run cannot be used as a run's folder \(ENOTDIR\)/);
  });
});
