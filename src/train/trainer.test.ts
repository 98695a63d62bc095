import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { SmallClassifier, ToyImages } from '../../test/support/toy-images.js';
import { hostTensor } from '../graph/index.js';
import { fineTune, type Phase, scratch } from '../methods/index.js';
import { initialize } from '../nn/index.js';
import { imageClassification } from '../tasks/index.js';
import type { TrainEvent } from './events.js';
import { type Checkpoint, MemoryCheckpoints } from './state.js';
import { Trainer } from './trainer.js';
import type { TrainerOptions } from './trainer-options.js';

const isHead = (path: string) => path.startsWith('head.');

async function options(changes: Partial<TrainerOptions> = {}): Promise<TrainerOptions> {
  const model = new SmallClassifier();
  const phases = scratch.plan({ model, hasRole: isHead, epochs: 4, lr: 0.02 });
  return {
    engine: await testEngine(),
    model,
    structure: 'small',
    weights: initialize(model, 1),
    isHead,
    task: imageClassification,
    phases,
    train: new ToyImages(43, 1),
    valid: new ToyImages(30, 2),
    optimizer: { name: 'adamw', weightDecay: 0.01 },
    clipNorm: 1,
    accumulate: 1,
    seed: 3,
    checkpoints: new MemoryCheckpoints(),
    ...changes,
  };
}

const plain = (weights: ReadonlyMap<string, { data: ArrayLike<number | bigint> }>) =>
  [...weights].map(([path, { data }]) => [path, [...Array.from(data)]]);

/** Head first, then everything by batch statistics, with everything random switched on. */
function twoPhases(model: SmallClassifier): Phase[] {
  const [head] = fineTune.plan({ model, hasRole: isHead, epochs: 3 });
  const [all] = scratch.plan({ model, hasRole: isHead, epochs: 2, lr: 0.02 });
  return [{ ...head!, epochs: 2 }, all!];
}

describe('training', () => {
  test('learns a toy problem, reports every step and pass, keeps the best model', async () => {
    const events: TrainEvent[] = [];
    const made = await options({ listener: (e) => events.push(e) });
    const phases = made.phases.map((p) => ({ ...p, epochs: 20 }));
    const result = await new Trainer({ ...made, phases }).run();
    expect(result.best!.metrics.accuracy).toBeGreaterThan(0.85);
    expect(events.filter((e) => e.type === 'step')).toHaveLength(20 * 6);
    const epochs = events.flatMap((e) => (e.type === 'epoch' ? [e] : []));
    expect(epochs.map((e) => e.epoch)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const accuracies = epochs.map((e) => e.valid!.accuracy!);
    expect(result.best!.metrics.accuracy).toBe(Math.max(...accuracies));
    expect(plain(result.weights)).toEqual(plain((await made.checkpoints.best())!));
  });

  test('a frozen trunk is computed once and stays as it was, statistics too', async () => {
    const train = new ToyImages(43, 1);
    const made = await options({ train });
    const [head] = fineTune.plan({ model: made.model, hasRole: isHead, epochs: 1 });
    const result = await new Trainer({ ...made, phases: [{ ...head!, epochs: 5 }] }).run();
    expect(train.reads).toBe(1);
    for (const [path, value] of made.weights) {
      const same = [...value.data].every((v, i) => v === result.weights.get(path)!.data[i]);
      expect([path, same]).toEqual([path, !isHead(path)]);
    }
  });

  test('frozen norms keep their statistics while the rest moves', async () => {
    const made = await options();
    const phases = fineTune.plan({ model: made.model, hasRole: isHead, epochs: 3 });
    expect(phases.map((p) => [p.name, p.epochs])).toEqual([
      ['head', 1],
      ['all', 2],
    ]);
    const result = await new Trainer({ ...made, phases, valid: null }).run();
    const moved = [...made.weights].filter(([path, value]) =>
      [...value.data].some((v, i) => v !== result.weights.get(path)!.data[i]),
    );
    expect(moved.map(([path]) => path)).toEqual(['conv.weight', 'head.weight', 'head.bias']);
  });

  test('rates fall from the head to the input', async () => {
    const { model } = await options();
    const all = fineTune.plan({ model, hasRole: isHead, epochs: 6 })[1]!;
    expect(all.rate('head.weight')).toBe(1);
    expect(all.rate('conv.weight')).toBeCloseTo(0.1, 12);
    expect(all.rate('norm.weight')).toBeCloseTo(Math.sqrt(0.1), 12);
  });

  test('accumulated windows give what one large batch gives, the partial last one too', async () => {
    const trained = async (batch: number, accumulate: number) => {
      const model = new SmallClassifier(0);
      const [all] = scratch.plan({ model, hasRole: isHead, epochs: 2, lr: 0.02 });
      const made = await options({
        model,
        weights: initialize(model, 1),
        phases: [{ ...all!, norms: 'frozen' }],
        train: new ToyImages(43, 1, batch),
        valid: null,
        accumulate,
      });
      return new Trainer(made).run();
    };
    const [one, many] = [await trained(24, 1), await trained(8, 3)];
    expect([one.steps, many.steps]).toEqual([4, 4]);
    const [a, b] = [plain(one.weights).flat(2), plain(many.weights).flat(2)] as number[][];
    for (const [i, value] of a!.entries()) {
      if (typeof value === 'number') expect(b![i]).toBeCloseTo(value, 4);
    }
  });

  test('early stopping ends a phase, and a resumed run stops where the straight one did', async () => {
    const events: TrainEvent[] = [];
    const checkpoints = new MemoryCheckpoints();
    // A rate of nothing: no pass is better than the first.
    const made = await options({ patience: 2, checkpoints, listener: (e) => events.push(e) });
    const phases = made.phases.map((p) => ({ ...p, lr: 0, epochs: 9, norms: 'frozen' as const }));
    const result = await new Trainer({ ...made, phases }).run();
    expect(result.epochs).toBe(3);
    expect(events.filter((e) => e.type === 'early-stop')).toHaveLength(1);
    const again = await new Trainer({ ...made, phases, resume: true }).run();
    expect(again.epochs).toBe(3);
  });

  test('the average of the weights follows its formula and is what is evaluated', async () => {
    const seen: Checkpoint[] = [];
    class Spy extends MemoryCheckpoints {
      override async save(c: Checkpoint) {
        seen.push(c);
        await super.save(c);
      }
    }
    const made = await options({ ema: 0.9, checkpoints: new Spy(), checkpointEvery: 1 });
    await new Trainer(made).run();
    const start = made.weights.get('head.bias')!.data[0] as number;
    const [first, second] = seen;
    const w1 = first!.weights.get('head.bias')!.data[0] as number;
    const w2 = second!.weights.get('head.bias')!.data[0] as number;
    const a1 = 0.9 * start + 0.1 * w1;
    expect(first!.average.get('head.bias')!.data[0]).toBeCloseTo(a1, 6);
    expect(second!.average.get('head.bias')!.data[0]).toBeCloseTo(0.9 * a1 + 0.1 * w2, 6);
    const best = (await made.checkpoints.best())!;
    const averages = seen.map((c) => c.average.get('head.bias')!.data[0]);
    expect(averages).toContain(best.get('head.bias')!.data[0]);
  });

  test('a loss that is no number stops the run and is not saved', async () => {
    const checkpoints = new MemoryCheckpoints();
    const made = await options({ checkpoints });
    made.weights.set('head.bias', hostTensor('float32', [3], [Number.NaN, 0, 0]));
    await expect(new Trainer(made).run()).rejects.toMatchObject({ code: 'non-finite' });
    expect(await checkpoints.latest()).toBeNull();
  });
});

describe('a run interrupted at any step and resumed ends in the same bits', () => {
  test.each([1, 5, 6, 7, 13, 18, 20])('step %i', async (stop) => {
    const common = { ema: 0.9, accumulate: 1, checkpointEvery: 1 } as const;
    const straight = await options(common);
    const phases = twoPhases(straight.model as SmallClassifier);
    const wanted = await new Trainer({ ...straight, phases }).run();

    const checkpoints = new MemoryCheckpoints();
    const abort = new AbortController();
    const first = await options({
      ...common,
      checkpoints,
      signal: abort.signal,
      listener: (e) => e.type === 'step' && e.step === stop && abort.abort(),
    });
    const broken = await new Trainer({
      ...first,
      phases: twoPhases(first.model as SmallClassifier),
    }).run();
    expect(broken).toMatchObject({ interrupted: true, steps: stop });

    const second = await options({ ...common, checkpoints, resume: true });
    const events: TrainEvent[] = [];
    const result = await new Trainer({
      ...second,
      phases: twoPhases(second.model as SmallClassifier),
      listener: (e) => events.push(e),
    }).run();
    expect(events[0]).toEqual({ type: 'resume', step: stop });
    expect(result.best).toEqual(wanted.best);
    expect(plain(result.weights)).toEqual(plain(wanted.weights));
    expect(plain((await checkpoints.latest())!.weights)).toEqual(
      plain((await straight.checkpoints.latest())!.weights),
    );
  });

  // The validation part is read once for its kept features and then after each epoch of everything.
  test.each([
    { reading: 1, steps: 0, name: 'while features are kept' },
    { reading: 2, steps: 18, name: 'while an epoch is evaluated' },
    { reading: 3, steps: 24, name: 'while the last epoch is evaluated' },
  ])('$name', async ({ reading, steps }) => {
    const straight = await options({ ema: 0.9 });
    const plan = (made: TrainerOptions) => twoPhases(made.model as SmallClassifier);
    const wanted = await new Trainer({ ...straight, phases: plan(straight) }).run();

    const abort = new AbortController();
    class Watched extends ToyImages {
      override async *read(how: Parameters<ToyImages['read']>[0]) {
        for await (const batch of super.read(how)) {
          if (this.reads === reading) abort.abort();
          yield batch;
        }
      }
    }
    const checkpoints = new MemoryCheckpoints();
    const valid = new Watched(30, 2);
    const first = await options({ ema: 0.9, checkpoints, valid, signal: abort.signal });
    const broken = await new Trainer({ ...first, phases: plan(first) }).run();
    expect(broken).toMatchObject({ interrupted: true, steps });
    const saved = await checkpoints.latest();
    expect(saved && saved.position.stepsBefore + saved.step).toBe(steps === 0 ? null : steps);

    const second = await options({ ema: 0.9, checkpoints, resume: true });
    const result = await new Trainer({ ...second, phases: plan(second) }).run();
    expect(result.best).toEqual(wanted.best);
    expect(plain(result.weights)).toEqual(plain(wanted.weights));
  });
});
