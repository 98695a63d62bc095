import { describe, expect, test } from 'vitest';
import { buildTextGolden, readTextGolden } from '../../test/support/text-golden.js';
import { ConfigError } from '../errors.js';
import { constant, input } from '../graph/index.js';
import { Context } from '../nn/index.js';
import { ropeAngles, ropeTables } from './rope.js';

describe('dynamic scaling', () => {
  const scaling = { type: 'dynamic', factor: 4, firstPositions: 32 } as const;

  test('leaves the angles as they are up to the positions of the model', () => {
    const angles = ropeAngles(8, { theta: 100, scaling });
    expect(angles.frequencies).toEqual(ropeAngles(8, { theta: 100, scaling: null }).frequencies);
    expect(ropeTables(angles, null, 32).cos.shape).toEqual([1, 32, 1, 4]);
  });

  test('refuses longer texts, whose angles would depend on their length', async () => {
    const angles = ropeAngles(8, { theta: 100, scaling });
    expect(() => ropeTables(angles, null, 33)).toThrow(ConfigError);
    const positions = constant(new Array(33).fill(0), 'int32', [1, 33]);
    expect(() => ropeTables(angles, positions, 33)).toThrow(/built for 32 tokens.*got 33/);
    const { model } = await buildTextGolden(await readTextGolden('llama-causal-lm-dynamic'));
    const through = (tokens: number) =>
      model.through(
        { input_ids: input('ids', 'int32', [1, tokens]) },
        new Context({ training: false }),
      );
    expect(through(64).shape).toEqual([1, 64, 61]);
    expect(() => through(65)).toThrow(/max_position_embeddings/);
  });
});

// transformers' _compute_yarn_parameters for heads of 8 channels, with and without whole bounds.
const WHOLE = [1, 0.237170815, 0.049999997, 0.00790569466];
const PARTS = [1, 0.291525632, 0.0506643951, 0.00790569466];

test('YaRN keeps fast channels, stretches slow ones and mixes those between', () => {
  const scaling = {
    type: 'yarn',
    factor: 4,
    firstPositions: 64,
    betaFast: 4,
    betaSlow: 0.5,
    attentionFactor: 1.25,
    truncate: true,
  } as const;
  const whole = ropeAngles(8, { theta: 100, scaling });
  expect(whole.amplitude).toBe(1.25);
  const parts = ropeAngles(8, { theta: 100, scaling: { ...scaling, truncate: false } });
  for (const [i, want] of WHOLE.entries()) expect(whole.frequencies[i]).toBeCloseTo(want, 6);
  for (const [i, want] of PARTS.entries()) expect(parts.frequencies[i]).toBeCloseTo(want, 6);
});
