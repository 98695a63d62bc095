/** Rates of fine-tuning: a text model's follows from its width. */
import { describe, expect, test } from 'vitest';
import { SmallClassifier } from '../../../test/support/toy-images.js';
import fineTune from './fine-tune.js';

const model = new SmallClassifier();
const hasRole = (path: string) => path.startsWith('head.');
const peaks = (changes: object) =>
  fineTune.plan({ model, hasRole, epochs: 3, ...changes }).map(({ lr }) => lr);

describe('peak rates of fine-tuning', () => {
  test.each([
    [768, 5e-5],
    [384, 2e-4],
    [1024, 2.8125e-5],
    [64, 2e-4],
  ])('a text model of %d channels: %d', (width, lr) => {
    expect(peaks({ modality: 'text', width })).toEqual([expect.closeTo(lr, 10)]);
  });

  test('a text model that does not say how wide it is has the rate of BERT-base', () => {
    expect(peaks({ modality: 'text' })).toEqual([5e-5]);
  });

  test('a rate that is asked for is the rate', () => {
    expect(peaks({ modality: 'text', width: 384, lr: 1e-3 })).toEqual([1e-3]);
  });

  test('pictures do not depend on it', () => {
    expect(peaks({ width: 384 })).toEqual(peaks({}));
    expect(peaks({})).toHaveLength(2);
  });
});
