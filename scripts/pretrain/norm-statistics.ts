/** Mean and variance of what each batch norm reads, over a stream of pictures. */
import type { ImageLoader } from '../../src/data/index.node.js';
import {
  BatchNorm,
  Context,
  type Engine,
  type HostTensor,
  input,
  type Module,
  mean,
  mul,
  sub,
  type Tensor,
  type Weights,
} from '../../src/index.js';
import type { ImageClassifier } from '../../src/models/index.js';

/** Statistics of one norm's input, one number a channel. */
export interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Batch norms below a module, by path. */
export function normsOf(module: Module, prefix = ''): Map<string, BatchNorm> {
  const found = new Map<string, BatchNorm>();
  for (const [name, child] of module.children()) {
    const path = prefix ? `${prefix}.${name}` : name;
    if (child instanceof BatchNorm) found.set(path, child);
    for (const [below, norm] of normsOf(child, path)) found.set(below, norm);
  }
  return found;
}

/** Traces the trunk in evaluation mode; gives what each norm reads. */
function normInputs(model: ImageClassifier, x: Tensor): Map<string, Tensor> {
  const read = new Map<string, Tensor>();
  const norms = normsOf(model);
  for (const [path, norm] of norms) {
    const forward = norm.forward.bind(norm);
    norm.forward = (y: Tensor, context: Context) => {
      read.set(path, y);
      return forward(y, context);
    };
  }
  model.features(x, new Context({ training: false }));
  for (const norm of norms.values()) delete (norm as { forward?: unknown }).forward;
  return read;
}

/** Joins the moments of two sets of samples (Chan, Golub, LeVeque). */
function join(a: Moments & { count: number }, b: Moments & { count: number }) {
  const count = a.count + b.count;
  const shift = b.mean.map((m, i) => m - a.mean[i]!);
  return {
    count,
    mean: a.mean.map((m, i) => m + (shift[i]! * b.count) / count),
    variance: a.variance.map(
      (v, i) =>
        (v * a.count + b.variance[i]! * b.count) / count +
        (shift[i]! ** 2 * a.count * b.count) / count ** 2,
    ),
  };
}

/**
 * Runs one epoch of augmented batches through a model in evaluation mode.
 * @returns by path of the norm
 */
export async function normStatistics(
  engine: Engine,
  model: ImageClassifier,
  weights: Weights,
  loader: ImageLoader,
): Promise<Map<string, Moments>> {
  let run: ((pixels: HostTensor) => Promise<Map<string, Moments>>) | undefined;
  let count = 0;
  const total = new Map<string, Moments & { count: number }>();
  for await (const { pixels } of loader.batches({ epoch: 0, training: true })) {
    run ??= await momentsProgram(engine, model, weights, pixels.shape);
    for (const [path, found] of await run(pixels)) {
      const before = total.get(path);
      const now = { ...found, count: 1 };
      total.set(path, before ? join(before, now) : now);
    }
    process.stderr.write(`\r${++count} of ${loader.batchCount} batches`);
  }
  process.stderr.write('\n');
  return total;
}

async function momentsProgram(
  engine: Engine,
  model: ImageClassifier,
  weights: Weights,
  shape: readonly number[],
) {
  const x = input('pixels', 'float32', shape);
  const outputs: Record<string, Tensor> = {};
  const read = normInputs(model, x);
  for (const [path, y] of read) {
    const axes = [0, 2, 3];
    const m = mean(y, { axes, keepDims: true });
    const off = sub(y, m);
    outputs[`mean:${path}`] = m;
    outputs[`variance:${path}`] = mean(mul(off, off), { axes });
  }
  const constants = new Map<Tensor, HostTensor>();
  for (const [path, { tensor }] of model.parameters()) constants.set(tensor, weights.get(path)!);
  const program = await engine.program(outputs, { constants });
  return async (pixels: HostTensor) => {
    const results = await program.run({ pixels });
    const numbers = async (name: string) => {
      const { data } = await engine.runtime.download(results[name]!);
      return Float64Array.from(data as Float32Array);
    };
    const moments = new Map<string, Moments>();
    for (const path of read.keys()) {
      moments.set(path, {
        mean: await numbers(`mean:${path}`),
        variance: await numbers(`variance:${path}`),
      });
    }
    return moments;
  };
}
