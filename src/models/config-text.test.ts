import { expect, test } from 'vitest';
import { allVariants, configText, writeConfig } from './index.js';

test("whole numbers keep Python's type where it matters", () => {
  const config = {
    depth_coefficient: 1,
    layer_norm_eps: 0,
    initializer_range: 0.02,
    hidden_size: 4,
    id2label: { 0: 'x_eps": 1', layer_norm_eps: 1 },
    last_ratio: -3,
    encoder_layerdrop: 0,
    initializer_factor: 1,
    expansion_factor: 2,
    length_penalty: 2,
    temperature: 1,
    top_p: 1,
    top_k: 5,
  };
  const text = configText(config);
  expect(text).toBe(`{
  "depth_coefficient": 1.0,
  "layer_norm_eps": 0.0,
  "initializer_range": 0.02,
  "hidden_size": 4,
  "id2label": {
    "0": "x_eps\\": 1",
    "layer_norm_eps": 1
  },
  "last_ratio": -3.0,
  "encoder_layerdrop": 0.0,
  "initializer_factor": 1.0,
  "expansion_factor": 2,
  "length_penalty": 2.0,
  "temperature": 1.0,
  "top_p": 1.0,
  "top_k": 5
}
`);
});

test('every published configuration is the same JSON', async () => {
  for (const { name, definition, variant } of await allVariants()) {
    const raw = writeConfig(definition, variant.config);
    expect(JSON.parse(configText(raw)), name).toEqual(JSON.parse(JSON.stringify(raw)));
  }
});
