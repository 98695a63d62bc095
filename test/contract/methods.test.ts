/** Every method: what is frozen stays the same to the bit, what may move moves, and a base helps. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  listMethods,
  type MethodDefinition,
  type Phase,
  scratch,
} from '../../src/methods/index.js';
import { BatchNorm, initialize, type Module, type Weights } from '../../src/nn/index.js';
import { imageClassification } from '../../src/tasks/index.js';
import { MemoryCheckpoints, Trainer, type TrainResult } from '../../src/train/index.js';
import { testEngine } from '../support/engine.js';
import { SmallClassifier, ToyImages } from '../support/toy-images.js';

/** So much that nine pictures do not show what stripes are. */
const NOISE = 1;

const isHead = (path: string) => path.startsWith('head.');

async function train(
  model: SmallClassifier,
  weights: Weights,
  phases: readonly Phase[],
  stream: ToyImages,
): Promise<TrainResult> {
  return new Trainer({
    engine: await testEngine(),
    model,
    structure: 'small',
    weights,
    isHead,
    task: imageClassification,
    phases,
    train: stream,
    valid: new ToyImages(150, 9, 30, { noise: NOISE }),
    optimizer: { name: 'adamw', weightDecay: 0.01 },
    clipNorm: 1,
    accumulate: 1,
    seed: 3,
    checkpoints: new MemoryCheckpoints(),
  }).run();
}

/** A base: trained long on many pictures of the same kind. */
let base: Weights;
beforeAll(async () => {
  const model = new SmallClassifier();
  const phases = scratch.plan({ model, hasRole: isHead, epochs: 30, lr: 0.02 });
  base = (
    await train(model, initialize(model, 1), phases, new ToyImages(300, 1, 20, { noise: NOISE }))
  ).weights;
});

/** The base with a fresh head, or random weights, as a run would begin. */
function start({ usesBase }: MethodDefinition): { model: SmallClassifier; weights: Weights } {
  const model = new SmallClassifier();
  const weights = initialize(model, 5);
  if (usesBase) {
    for (const [path, value] of base) if (!isHead(path)) weights.set(path, value);
  }
  return { model, weights };
}

const plan = (method: MethodDefinition, model: SmallClassifier, epochs: number) =>
  method.plan({ model, hasRole: isHead, epochs });

const same = (a: Weights, b: Weights, path: string) =>
  Buffer.compare(
    Buffer.from(a.get(path)!.data.buffer as ArrayBuffer),
    Buffer.from(b.get(path)!.data.buffer as ArrayBuffer),
  ) === 0;

function* normsOf(module: Module): Generator<BatchNorm> {
  if (module instanceof BatchNorm) yield module;
  for (const child of module.children().values()) yield* normsOf(child);
}

describe.each(listMethods().map((m) => [m.name, m] as const))('%s', (_, method) => {
  test('says what it is and where it comes from', () => {
    expect(method.summary).toMatch(/^[A-Z].{20,}\.$/);
    expect(method.source).toMatch(/\d{4}/);
    expect(method.streams.map((s) => s.name)).toContain('train');
  });

  test.each([1, 2, 3, 10])('plans as many epochs as it was given: %i', (epochs) => {
    const phases = plan(method, new SmallClassifier(), epochs);
    expect(phases.reduce((n, p) => n + p.epochs, 0)).toBe(epochs);
    for (const phase of phases) {
      expect(phase.epochs).toBeGreaterThan(0);
      expect(phase.lr).toBeGreaterThan(0);
      expect(phase.warmup).toBeGreaterThanOrEqual(0);
      expect(phase.warmup).toBeLessThan(1);
    }
  });

  test('moves exactly what its phases say, and norms by their switch', async () => {
    const { model, weights } = start(method);
    const parameters = [...model.parameters()];
    for (const phase of plan(method, model, 3)) {
      const { weights: after } = await train(model, weights, [phase], new ToyImages(27, 2));
      for (const [path, p] of parameters) {
        // A frozen norm is an affine constant: neither statistics nor scale and shift.
        const free = !path.startsWith('norm.') || phase.norms === 'batch';
        const moves = free && (p.kind !== 'weight' || phase.trainable(path));
        expect([path, !same(weights, after, path)], phase.name).toEqual([path, moves]);
      }
      for (const norm of normsOf(model)) {
        expect([norm.normalizeByBatch, norm.updateStatistics]).toEqual(
          phase.norms === 'batch' ? [true, true] : [false, false],
        );
      }
    }
  });

  test('never moves a layer faster than one nearer to the head', () => {
    const model = new SmallClassifier();
    for (const phase of plan(method, model, 6)) {
      const rates = ['conv.weight', 'norm.weight', 'head.weight'].map(phase.rate);
      expect(rates).toEqual(rates.toSorted((a, b) => a - b));
      expect(rates.at(-1)).toBe(1);
    }
  });

  test.runIf(method.usesBase)('beats the same budget from scratch on little data', async () => {
    const few = () => new ToyImages(9, 4, 3, { noise: NOISE, fixed: true });
    const score = async (chosen: MethodDefinition) => {
      const { model, weights } = start(chosen);
      // So small a network wants larger steps than those it would take on photographs.
      const phases = plan(chosen, model, 60).map((p) => ({ ...p, lr: 10 * p.lr }));
      return (await train(model, weights, phases, few())).best!.metrics.accuracy!;
    };
    const [adapted, control] = [await score(method), await score(scratch)];
    expect(adapted).toBeGreaterThan(control + 0.05);
    // Of three classes.
    expect(adapted).toBeGreaterThan(1 / 3 + 0.2);
  });
});
