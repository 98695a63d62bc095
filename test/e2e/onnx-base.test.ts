/** A file that was exported as ONNX is a base like any other: adapted, applied, exported again. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeBase,
  evaluateRun,
  exportRun,
  type FitRun,
  fit as fitRun,
  GraftError,
  predictRun,
  reportRun,
} from '../../src/index.js';

const data = fileURLToPath(new URL('../../assets/demo', import.meta.url));
let root: string;
let onnx: string;
let run: FitRun;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'onnx-base-'));
  const out = join(root, 'first');
  await fitRun({ data, out, size: 64, epochs: 1, method: 'feature-extraction' });
  onnx = join(root, 'first.onnx');
  await exportRun(out, { to: 'onnx', out: onnx });
  run = await fitRun({ data, base: onnx, out: join(root, 'second'), epochs: 3, lr: 1e-4 });
});
afterAll(() => rmSync(root, { recursive: true }));

describe('an .onnx base', () => {
  test('keeps the preprocessing that the export has put into it', async () => {
    const base = await describeBase('graft/mobilenet_v2');
    const info = await describeBase(onnx);
    expect(info).toMatchObject({ mean: base.mean, deviation: base.deviation, classes: 0 });
    expect(info.input).toBe('64 x 64, crop');
  });

  test('is fine-tuned: head first, then its own weights', () => {
    const { parameters, metrics } = run.summary;
    expect(parameters.trainable).toBe(parameters.total);
    // Of six classes, at a fifth of the side that the base was trained on.
    expect(metrics.accuracy).toBeGreaterThan(1 / 6);
  });

  test('is evaluated and applied from the folder of the run alone', async () => {
    rmSync(onnx);
    const { metrics } = await evaluateRun(run.out, join(data, 'valid'));
    expect(metrics.accuracy).toBeCloseTo(run.summary.metrics.accuracy!, 10);
    const picture = join(data, 'valid/fish/01.jpg');
    const [found] = (await predictRun(run.out, [picture], { top: 6 })).predictions;
    const total = found!.answers!.reduce((sum, a) => sum + a.probability, 0);
    expect(total).toBeCloseTo(1, 5);
    expect(await describeBase(run.out)).toMatchObject({
      kind: 'run',
      modelType: 'onnx',
      classes: 6,
    });
    expect(readFileSync(await reportRun(run.out), 'utf8')).toContain('first.onnx');
  });

  test('is exported as ONNX again, but has no class in other libraries', async () => {
    const again = join(root, 'again.onnx');
    const { files } = await exportRun(run.out, { to: 'onnx', out: again });
    expect(files).toContain(again);
    expect((await describeBase(again)).input).toBe('64 x 64, crop');
    const hub = exportRun(run.out, { to: 'huggingface', out: join(root, 'hub') });
    await expect(hub).rejects.toThrow(GraftError);
    await expect(hub).rejects.toThrow(/--to onnx/);
  });
});
