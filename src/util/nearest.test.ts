import { expect, test } from 'vitest';
import { didYouMean, nearest } from './nearest.js';

test('the nearest name is the one with the fewest edits, whatever the case', () => {
  const names = ['fine-tune', 'feature-extraction', 'scratch'];
  expect(nearest('finetune', names)).toBe('fine-tune');
  expect(nearest('Feature_Extraction', names)).toBe('feature-extraction');
  expect(nearest('scrach', names)).toBe('scratch');
  expect(nearest('x', [])).toBe('');
});

test('only a name that a slip may have made is offered', () => {
  const methods = ['scratch', 'fine-tune', 'feature-extraction'];
  expect(didYouMean('finetune', methods)).toBe(" Did you mean 'fine-tune'?");
  expect(didYouMean('Scratch', methods)).toBe(" Did you mean 'scratch'?");
  expect(didYouMean('lora', methods)).toBe('');
  expect(didYouMean('x', [])).toBe('');
});
