import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { fuzzBytes, fuzzCase, tryImport } from '../../test/support/fuzz-onnx.js';
import { engineEvaluator } from '../engine/import.js';

/** `npm run bench:fuzz` runs a hundred thousand. */
const CASES = 2000;

describe('whatever a file holds, an import ends with a graph or a GraftError', () => {
  test(`${CASES} mutations of valid files`, async () => {
    const evaluator = engineEvaluator(await testEngine());
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fuzzCase, async (c) => {
        const outcome = await tryImport(fuzzBytes(c), evaluator);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns: CASES, seed: 2026 },
    );
    // Mutations that all die at the first byte, or all survive, would test nothing.
    for (const kind of [
      'imported',
      'onnx-format',
      'onnx-graph',
      'onnx-node',
      'onnx-shape',
      'onnx-data',
    ]) {
      expect(outcomes.get(kind) ?? 0, kind).toBeGreaterThan(0);
    }
  });

  test('random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (source) => {
        expect(await tryImport(source)).not.toBe('imported');
      }),
      { numRuns: 500, seed: 2026 },
    );
  });
});
