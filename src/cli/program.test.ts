import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConfigError, DataError, EngineError, GraftError, HubError, IoError } from '../errors.js';
import { exitCodeOf, fail, Interrupted } from './outcome.js';
import { main } from './program.js';

let told = { stdout: '', stderr: '' };
beforeEach(() => {
  told = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      told[name] += String(text);
      return true;
    });
  }
  vi.spyOn(console, 'error').mockImplementation((text) => {
    told.stderr += `${text}\n`;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('a choice that cannot be is refused by the name of its option, before anything is read', () => {
  test.each<[string[], RegExp]>([
    [['--epochs', '0'], /--epochs must be a whole number >= 1, got 0\./],
    [['--epochs', '1.5'], /--epochs must be a whole number >= 1, got 1\.5\./],
    [['--batch', '5000'], /--batch must be a whole number from 1 to 4096, got 5000\./],
    [['--lr', '-1'], /--lr must be a number > 0, got -1\./],
    [['--lr', 'fast'], /option '--lr <x>' argument 'fast' is invalid\. It must be a number\./],
    [['--size', '31'], /--size must be a whole number from 32 to 1024, got 31\./],
    [['--accumulate', '0'], /--accumulate must be a whole number >= 1, got 0\./],
    [['--weight-decay', '11'], /--weight-decay must be a number from 0 to 10, got 11\./],
    [['--clip-norm', '0'], /--clip-norm must be a number > 0, got 0\./],
    [['--label-smoothing', '1'], /--label-smoothing must be a number from 0 to 1, got 1\./],
    [['--ema', '1'], /--ema must be a number between 0 and 1, got 1\./],
    [['--patience', '0'], /--patience must be a whole number >= 1, got 0\./],
    [['--seed', '1e12'], /--seed must be a 32-bit whole number, got 1000000000000\./],
    [['--valid', '1'], /--valid must be a share from 0 \(none\) to 1, or a path, got 1\./],
    [['--threads', '0'], /--threads must be a whole number from 1 to 1024, got 0\./],
    [['--checkpoint-every', '0'], /--checkpoint-every must be a whole number >= 1, got 0\./],
    [
      ['--task', 'chess'],
      /--task must be one of image-classification, text-classification, .*; got 'chess'\./,
    ],
    [['--augment', 'lots'], /--augment must be one of none, light, default, strong; got 'lots'\./],
    [['--optimizer', 'adam'], /--optimizer must be one of adamw, .*; got 'adam'\./],
    [['--class-weights', 'some'], /--class-weights must be one of none, balanced; got 'some'\./],
    [['--method', 'finetune'], /There is no method 'finetune'\. Did you mean 'fine-tune'\?/],
    [['--method', 'lora'], /There is no method 'lora'\. There are: feature-extraction, /],
    [['--task', 'text-classification', '--size', '64'], /--size is for pictures, and /],
    [['--device', 'tpu'], /option '--device <name>' argument 'tpu' is invalid\./],
    [['--epoch', '3'], /unknown option '--epoch'\n\(Did you mean --epochs\?\)/],
  ])('%j', async (flags, words) => {
    expect(await main(['fit', 'no-such-data', '--out', 'no-such-run', ...flags, '--json'])).toBe(2);
    expect(told.stderr).toMatch(words);
    expect(told.stderr).toMatch(/^error: /);
    const { error } = JSON.parse(told.stdout) as { error: { code: string; message: string } };
    expect(error.message).toMatch(words);
    expect(existsSync('no-such-run')).toBe(false);
  });

  test('a run to go on with that is not there, or not named', async () => {
    expect(await main(['fit', '--resume', '--out', 'no-such-run'])).toBe(2);
    expect(told.stderr).toMatch(/no-such-run is no run.*begun anew: graft fit DATA --out/);
    expect(await main(['fit', '--resume'])).toBe(2);
    expect(told.stderr).toMatch(/resume: give the folder of the run with --out\./);
    expect(await main(['fit'])).toBe(2);
    expect(told.stderr).toMatch(/fit: give a folder or a list of labelled pictures or texts\./);
  });
});

test('a choice is named as it is typed wherever a message begins with it', () => {
  const said = (message: string, data: object) => {
    fail(new ConfigError(message, { ...data }), true);
    return (JSON.parse(told.stdout.split('\n').at(-2)!) as { error: { message: string } }).error
      .message;
  };
  expect(said('maxLength 1000 is more than 512.', { maxLength: 1000 })).toMatch(
    /^--max-length 1000/,
  );
  expect(said('reinitLayers: the base has 2.', { reinitLayers: 3 })).toMatch(
    /^--reinit-layers: the/,
  );
  expect(said('patience counts passes.', { patience: 1 })).toMatch(/^--patience counts/);
  expect(said('maxLengths are no choice.', { maxLength: 1 })).toMatch(/^maxLengths/);
});

describe('exit codes', () => {
  const system = (code: string, more: object = {}) =>
    Object.assign(new Error(`${code}: said by the system`), { code, ...more });

  test.each<[number, unknown]>([
    [130, new Interrupted('saved')],
    [3, new DataError('one class')],
    [3, new ConfigError('no tokenizer', {}, 'tokenizer-missing')],
    [3, new ConfigError('of another model', {}, 'tokenizer-mismatch')],
    [2, new ConfigError('no such choice')],
    [3, new HubError('hub-offline', 'not in the cache')],
    [3, new EngineError('non-finite', 'the loss became NaN')],
    [2, new EngineError('device-missing', 'no CUDA')],
    [2, new IoError('exists', 'is there already')],
    [4, new IoError('disk-full', 'no room')],
    [4, system('ENOSPC')],
    [4, system('EMFILE', { syscall: 'open', path: 'x' })],
    [3, system('EACCES', { syscall: 'open', path: 'x' })],
    [4, new EngineError('run', 'std::bad_alloc')],
    [4, new RangeError('Array buffer allocation failed')],
    [1, new EngineError('run', 'a kernel failed')],
    [1, new GraftError('odd', 'none of the known ones')],
    [1, new TypeError('undefined is not a function')],
    [1, system('ERR_ASSERTION')],
    [1, 'not even an error'],
  ])('%i for %s', (code, error) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});
