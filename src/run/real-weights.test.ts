/** Real pre-trained weights name real pictures, by the way that `graft predict` takes. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { predictRun } from './index.node.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const weights = at('../../../shared/data/weights/');
const there = existsSync(weights);

const PICTURES = ['cat.bmp', 'parrot.jpg', 'sunflower.bmp'];
/** ImageNet has no sunflower. */
const NAMES = ['Egyptian cat', 'macaw', 'daisy'];

async function answersOf(base: string) {
  const pictures = PICTURES.map((name) => `${weights}mobilenet_tflite/${name}`);
  const { predictions, skipped } = await predictRun(`${weights}${base}`, pictures, { top: 3 });
  expect(skipped).toEqual([]);
  expect(predictions.map((p) => p.file)).toEqual(pictures);
  return predictions.map((p) => p.answers!);
}

describe.skipIf(!there)(`real weights${there ? '' : ': ../shared/data is not there'}`, () => {
  test.each(['squeezenet1_1', 'mobilenet_v2_1.0_224', 'mobilenet_v1_0.25_128'])(
    '%s with its own preprocessing names cat, parrot and sunflower',
    async (base) => {
      const answers = await answersOf(base);
      expect(answers.map(([first]) => first!.label)).toEqual(NAMES);
      for (const picture of answers) {
        expect(picture).toHaveLength(3);
        expect(picture[0]!.probability).toBeGreaterThan(picture[1]!.probability);
      }
    },
  );

  // Python's torchvision with the same weights, as written in their SOURCE.md. Decoders of JPEG and
  // resampling differ in the last bit.
  test('SqueezeNet is as sure as in torchvision', async () => {
    const answers = await answersOf('squeezenet1_1');
    const want = [0.541, 0.988, 0.703];
    answers.forEach(([first], i) => {
      expect(Math.abs(first!.probability - want[i]!)).toBeLessThan(0.005);
    });
  });
});

test('a base without a head is refused, with what to do', async () => {
  const base = at('../../assets/bases/mobilenet_v2');
  const failure = predictRun(base, [at('../../assets/demo')]);
  await expect(failure).rejects.toThrow(ConfigError);
  await expect(failure).rejects.toMatchObject({
    code: 'no-head',
    message: expect.stringContaining('graft fit'),
  });
});
