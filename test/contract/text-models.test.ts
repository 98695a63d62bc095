/**
 * What every text architecture in the registry promises, tried on the tiny configurations of the golden
 * files. A new architecture needs golden files and no line here.
 */
import { test } from 'vitest';
import { checkTextGolden, textGoldenNames } from '../support/text-golden.js';

test.each(textGoldenNames())('%s: logits, loss and gradients of transformers', checkTextGolden);
