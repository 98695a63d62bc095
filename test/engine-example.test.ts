import { expect, test } from 'vitest';
import { demo } from '../examples/engine.js';

test('the example learns, its gradient is right, and a resumed run is the same run', async () => {
  const lines: string[] = [];
  const bars: string[] = [];
  const result = await demo(
    (line) => lines.push(line),
    (bar) => bars.push(bar),
    { epochs: 6, pictures: 240 },
  );
  expect(result.losses).toHaveLength(30);
  expect(result.losses.at(-1)!).toBeLessThan(result.losses[0]! / 2);
  expect(result.accuracy.after).toBeGreaterThan(result.accuracy.before);
  expect(result.gradient.tensors).toBe(8);
  // Single precision, and a relu or pooling window may switch within the difference.
  expect(result.gradient.worst).toBeLessThan(0.01);
  expect(result.resumedEqual).toBe(true);
  expect(bars.at(-1)).toMatch(
    /█{24}\s+30\/30 {2}loss \d\.\d{3} {2}accuracy +\d+\.\d % {2}0\.0 s left/,
  );
  expect(lines.join('\n')).toMatch(/nodes forward, \d+ with the gradient/);
});
