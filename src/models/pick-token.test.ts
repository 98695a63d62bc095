import { expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { constant, type Tensor, toNumbers } from '../graph/index.js';
import { lastToken, tokenOf } from './pick-token.js';

const PAD = 9;
/** hidden[text][token] = [10 text + token]. */
const hidden = constant(
  Array.from({ length: 12 }, (_, i) => 10 * Math.floor(i / 4) + (i % 4)),
  'float32',
  [3, 4, 1],
);
const ids = constant([5, 9, 6, 9, 9, 9, 4, 3, 9, 9, 9, 9], 'int32', [3, 4]);
const mask = constant([1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0], 'int32', [3, 4]);

async function valuesOf(t: Tensor): Promise<number[]> {
  const [value] = await (await testEngine()).evaluate([t]);
  expect(value!.shape).toEqual([3, 1]);
  return toNumbers(value!);
}

test('the rightmost token that is not the padding, wherever the padding is', async () => {
  const batch = { input_ids: ids, attention_mask: mask };
  // A text of padding alone has its first token, as in transformers.
  expect(await valuesOf(lastToken(hidden, batch, PAD))).toEqual([2, 13, 20]);
});

test('without an id of padding the mask says, or it is the last token', async () => {
  expect(await valuesOf(lastToken(hidden, { attention_mask: mask }, null))).toEqual([1, 13, 20]);
  expect(await valuesOf(lastToken(hidden, { input_ids: ids }, null))).toEqual([3, 13, 23]);
});

test('one token of every text', async () => {
  expect(await valuesOf(tokenOf(hidden, 1))).toEqual([1, 11, 21]);
});
