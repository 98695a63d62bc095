/** Attention over a cache must give what attention over all tokens at once gives. */
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { StatefulProgram, Variables } from '../engine/index.js';
import {
  filled,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { KeyedRandom } from '../util/index.js';
import { attend, causalBias, decoderBias } from './attention.js';
import { AttentionCache } from './attention-cache.js';
import { Context } from './module.js';

const BATCH = 2;
const HEADS = 4;
const KEY_HEADS = 2;
const SIZE = 3;
const TOKENS = 6;
const PROMPT = 4;
const CAPACITY = 8;

const random = KeyedRandom.of(7);
const values = (name: string, width: number): HostTensor =>
  hostTensor('float32', [BATCH, TOKENS, width], random.fold(name).normals(BATCH * TOKENS * width));
const all = {
  query: values('query', HEADS * SIZE),
  key: values('key', KEY_HEADS * SIZE),
  value: values('value', KEY_HEADS * SIZE),
};
const NAMES = ['query', 'key', 'value'] as const;

/** Tokens `from` to `to` of a tensor. */
function tokensOf(t: HostTensor, from: number, to: number): HostTensor {
  const width = t.shape[2]!;
  const data = Array.from({ length: BATCH }, (_, b) => [
    ...(t.data as Float32Array).subarray((b * TOKENS + from) * width, (b * TOKENS + to) * width),
  ]);
  return hostTensor('float32', [BATCH, to - from, width], data.flat());
}

function placeholders(tokens: number) {
  return {
    query: input('query', 'float32', [BATCH, tokens, HEADS * SIZE]),
    key: input('key', 'float32', [BATCH, tokens, KEY_HEADS * SIZE]),
    value: input('value', 'float32', [BATCH, tokens, KEY_HEADS * SIZE]),
  };
}

const feedsOf = (from: number, to: number) =>
  Object.fromEntries(NAMES.map((name) => [name, tokensOf(all[name], from, to)]));

describe('AttentionCache', () => {
  test('prompt and steps give what one pass gives, in buffers that are written in place', async () => {
    const engine = await testEngine();
    const whole = placeholders(TOKENS);
    const full = attend(
      whole,
      { heads: HEADS, keyHeads: KEY_HEADS, bias: causalBias(TOKENS) },
      new Context({ training: false }),
    );
    const [want] = await engine.evaluate(
      [full],
      new Map<Tensor, HostTensor>(NAMES.map((name) => [whole[name], all[name]])),
    );

    const cache = new AttentionCache(CAPACITY);
    const variables = new Variables(engine.runtime);
    const compile = async (tokens: number, position: Tensor | null, mask: Tensor | null) => {
      const { query, key, value } = placeholders(tokens);
      const pass = cache.pass(position);
      const context = new Context({ training: false, cache: pass });
      const seen = pass.append(key, value, KEY_HEADS);
      const bias = decoderBias(mask, tokens, context);
      const y = attend({ query, ...seen }, { heads: HEADS, keyHeads: KEY_HEADS, bias }, context);
      for (const t of pass.updates.keys()) {
        if (!variables.has(t)) await variables.create(t, filled('float32', t.shape, 0));
      }
      return StatefulProgram.compile(engine, variables, { y }, pass.updates);
    };
    const prefill = await compile(PROMPT, null, null);
    const mask = input('mask', 'int32', [BATCH, CAPACITY]);
    const step = await compile(1, input('position', 'int32', []), mask);
    expect(step.updatedInPlace).toHaveLength(2);

    const check = async (program: StatefulProgram, from: number, to: number) => {
      const seen = Array.from({ length: BATCH * CAPACITY }, (_, i) => +(i % CAPACITY < to));
      const results = await program.run({
        ...feedsOf(from, to),
        mask: hostTensor('int32', [BATCH, CAPACITY], seen),
        position: hostTensor('int32', [], [from]),
      });
      const got = await engine.runtime.download(results.y!);
      const expected = tokensOf(want!, from, to);
      expectClose(
        `tokens ${from} to ${to}`,
        got,
        { shape: expected.shape, data: toNumbers(expected) },
        { rtol: 1e-4, atol: 1e-5 },
      );
    };
    await check(prefill, 0, PROMPT);
    for (let at = PROMPT; at < TOKENS; at++) await check(step, at, at + 1);
  });

  test('what is fixed is computed with the prompt and only read afterwards', async () => {
    const cache = new AttentionCache(CAPACITY);
    const { key, value } = placeholders(PROMPT);
    const first = cache.pass(null);
    first.fixed(() => ({ key, value }), KEY_HEADS);
    expect(first.updates.size).toBe(2);
    const later = cache.pass(input('position', 'int32', []));
    const seen = later.fixed(() => {
      throw new Error('computed again');
    }, KEY_HEADS);
    expect(seen.key.shape).toEqual(key.shape);
    expect(later.updates.size).toBe(0);
  });

  test('more tokens than fit are refused', () => {
    const { key, value } = placeholders(PROMPT);
    const small = new AttentionCache(PROMPT - 1);
    expect(() => small.pass(null).append(key, value, KEY_HEADS)).toThrow(/room for 3/);
    const wide = new AttentionCache(CAPACITY);
    const position = input('position', 'int32', []);
    expect(() => wide.pass(position).append(key, value, KEY_HEADS)).toThrow(/room for 1/);
    expect(() => wide.pass(position).fixed(() => ({ key, value }), 1)).toThrow(/prompt first/);
  });
});
