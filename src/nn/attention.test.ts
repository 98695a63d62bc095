import { expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  constant,
  type HostTensor,
  hostTensor,
  input,
  toNumbers,
  toposort,
} from '../graph/index.js';
import { KeyedRandom } from '../util/index.js';
import { attend, decoderBias } from './attention.js';
import { Context } from './module.js';

const [BATCH, TOKENS, HEADS, WIDTH] = [2, 128, 2, 8];

function drawn(name: string): HostTensor {
  const data = KeyedRandom.of(7)
    .fold(name)
    .uniforms(BATCH * TOKENS * WIDTH, -1, 1);
  return hostTensor('float32', [BATCH, TOKENS, WIDTH], data);
}

test('long texts take one node in evaluation, and its values are those of the parts', async () => {
  const [query, key, value] = ['q', 'k', 'v'].map((name) =>
    input(name, 'float32', [BATCH, TOKENS, WIDTH]),
  );
  const seen = Array.from({ length: BATCH * TOKENS }, (_, i) => (i % TOKENS < 100 ? 1 : 0));
  const mask = constant(seen, 'int32', [BATCH, TOKENS]);
  const through = (training: boolean) => {
    const context = new Context({ training });
    const bias = decoderBias(mask, TOKENS, context);
    return attend({ query: query!, key: key!, value: value! }, { heads: HEADS, bias }, context);
  };
  const [whole, parts] = [through(false), through(true)];
  const names = (y: typeof whole) => toposort([y]).map(({ op }) => op.name);
  expect(names(whole)).toContain('fusedAttention');
  expect(names(parts)).not.toContain('fusedAttention');
  const feeds = new Map([query, key, value].map((t, i) => [t!, drawn('qkv'[i]!)]));
  const [a, b] = await (await testEngine()).evaluate([whole, parts], feeds);
  const want = { shape: b!.shape, data: toNumbers(b!) };
  expectClose('attention', a!, want, { rtol: 1e-5, atol: 1e-6 });
});
