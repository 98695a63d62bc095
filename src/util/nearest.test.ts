import { expect, test } from 'vitest';
import { nearest } from './nearest.js';

test('the nearest name is the one with the fewest edits, whatever the case', () => {
  const names = ['fine-tune', 'feature-extraction', 'scratch'];
  expect(nearest('finetune', names)).toBe('fine-tune');
  expect(nearest('Feature_Extraction', names)).toBe('feature-extraction');
  expect(nearest('scrach', names)).toBe('scratch');
  expect(nearest('x', [])).toBe('');
});
