/** What `npm run demo` does, on smaller pictures. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { demo } from '../examples/demo.js';

test('the demo adapts the embedded base, beats the same budget from scratch, and leaves a run', async () => {
  const out = join(mkdtempSync(join(tmpdir(), 'demo-')), 'run');
  try {
    const lines: string[] = [];
    const { summary } = await demo((line) => lines.push(line), { out, size: 96 });
    // 6 classes: chance is 0.17.
    expect(summary.metrics.accuracy).toBeGreaterThan(0.6);
    expect(summary.transferGain).toBeGreaterThan(0.3);
    const text = lines.join('\n');
    expect(text).toContain('the transfer helped');
    expect(text).toMatch(/fish\/\w+\.jpg +\w+ \(\d+ %\)/);
    expect(readdirSync(out)).toEqual(
      expect.arrayContaining(['run.json', 'metrics.jsonl', 'model', 'tensorboard']),
    );
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toMatch(/from scratch/i);
    expect(existsSync(join(out, 'onnx/model.onnx'))).toBe(true);
  } finally {
    rmSync(join(out, '..'), { recursive: true });
  }
});
