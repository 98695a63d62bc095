import { expect, test } from 'vitest';
import * as errors from '../errors.js';
import { receivedError, sentError } from './sent-error.js';

const { GraftError } = errors;
const pass = (error: unknown) => receivedError(structuredClone(sentError(error)));

test('every class of the tree arrives as itself, with its fields', () => {
  const classes = Object.entries(errors).filter(([, value]) => typeof value === 'function');
  expect(classes.length).toBeGreaterThan(8);
  for (const [name, known] of classes) {
    // Constructors differ; what every error has is set afterwards.
    const sent = Object.assign(Object.create(known.prototype), {
      ...{ name, code: 'some-code', message: 'what came', data: { file: 'a.png', sizes: [1, 2] } },
    });
    const error = pass(sent) as errors.GraftError;
    expect(error).toBeInstanceOf(known);
    expect(Object.getPrototypeOf(error)).toBe(known.prototype);
    expect(error).toMatchObject({ name, code: 'some-code', message: 'what came' });
    expect(error.data).toEqual({ file: 'a.png', sizes: [1, 2] });
    expect(String(error)).toBe(`${name}: what came`);
  }
});

test('causes and stacks arrive too; other errors stay what they are', () => {
  const cause = new errors.IoError('read', 'no such file', { path: 'a' }, { cause: 'ENOENT' });
  const error = new errors.DataError('a.png: cannot be read.', {}, { code: 'picture', cause });
  const got = pass(error) as errors.DataError;
  expect(got.stack).toBe(error.stack);
  expect(got.cause).toBeInstanceOf(errors.IoError);
  expect((got.cause as errors.IoError).cause).toBe('ENOENT');
  expect(pass(new TypeError('not a function'))).toEqual(new TypeError('not a function'));
  expect(pass(new TypeError('x'))).not.toBeInstanceOf(GraftError);
});
