import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { ConfigError } from '../errors.js';
import {
  constant,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
  toposort,
} from '../graph/index.js';
import { KeyedRandom } from '../util/index.js';
import { attend, decoderBias, windowBias } from './attention.js';
import { AttentionCache } from './attention-cache.js';
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

describe('a window', () => {
  const evaluation = () => new Context({ training: false });
  /** Which keys each query sees, a row a query. */
  async function seen(bias: Tensor): Promise<string[]> {
    const [value] = await (await testEngine()).evaluate([bias], new Map());
    const keys = bias.shape[3]!;
    const marks = toNumbers(value!).map((b) => (b === 0 ? 'x' : '.'));
    return Array.from({ length: marks.length / keys }, (_, row) =>
      marks.slice(row * keys, (row + 1) * keys).join(''),
    );
  }
  const masked = (rows: readonly (readonly number[])[]) =>
    constant(rows.flat(), 'int32', [rows.length, rows[0]!.length]);
  // What comes later is hidden by decoderBias.
  const band = ['xxxxx', 'xxxxx', 'xxxxx', '.xxxx', '..xxx'];

  test('holds the last tokens, with a mask and without', async () => {
    expect(await seen(windowBias(null, 5, 3, evaluation()))).toEqual(band);
    expect(await seen(windowBias(masked([[1, 1, 1, 1, 1]]), 5, 3, evaluation()))).toEqual(band);
    expect(await seen(windowBias(null, 2, 3, evaluation()))).toEqual(['xx', 'xx']);
  });

  test('counts tokens, wherever padding lies', async () => {
    const rows = await seen(windowBias(masked([[0, 0, 1, 1, 1, 1]]), 6, 2, evaluation()));
    expect(rows.slice(2)).toEqual(['xxxxxx', '..xxxx', '...xxx', '....xx']);
  });

  test('of a cache: the last slots that are taken, whatever lies between them', async () => {
    const cache = new AttentionCache(7);
    const position = constant([3], 'int32', []);
    const context = new Context({ training: false, cache: cache.pass(position) });
    const mask = masked([
      [1, 1, 1, 1, 0, 0, 0],
      [1, 1, 0, 1, 0, 0, 0],
      [0, 0, 0, 1, 0, 0, 0],
    ]);
    const both = await seen(windowBias(mask, 1, 2, context));
    // Free slots are hidden by the mask.
    expect(both.map((row) => row.slice(0, 4))).toEqual(['..xx', '.xxx', 'xxxx']);
    expect(() => windowBias(null, 1, 2, context)).toThrow(ConfigError);
  });
});
