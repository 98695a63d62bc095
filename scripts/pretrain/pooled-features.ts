/** What a base's trunk makes of pictures: the features that a head or a probe reads. */
import type { ImageSample } from '../../src/data/index.js';
import { ImageLoader } from '../../src/data/index.node.js';
import { Context, type Engine, type HostTensor, input, type Tensor } from '../../src/index.js';
import { type LoadedClassifier, PIXELS } from '../../src/models/index.js';
import { tracePart } from '../../src/train/index.js';
import type { Labelled } from './linear-probe.js';

const BATCH = 16;

/**
 * Pooled features of samples, [samples, width].
 * @param byBatch normalise by the statistics of each batch of 16 instead of the running ones
 */
export async function pooledFeatures(
  engine: Engine,
  { model, weights, preprocess }: LoadedClassifier,
  samples: readonly ImageSample[],
  byBatch: boolean,
): Promise<Labelled> {
  const classes = 1 + Math.max(...samples.map((s) => s.label));
  const loader = new ImageLoader(samples, { classes, preprocess, batchSize: BATCH });
  const shape = [BATCH, preprocess.mean.length, preprocess.height, preprocess.width];
  const x = { [PIXELS]: input(PIXELS, 'float32', shape) };
  const y = tracePart(model, 'trunk', x, new Context({ training: byBatch }));
  const constants = new Map<Tensor, HostTensor>();
  for (const [path, { tensor }] of model.parameters()) constants.set(tensor, weights.get(path)!);
  const program = await engine.program({ y }, { constants });
  const width = y.shape[1]!;
  const features = new Float32Array(samples.length * width);
  // Shuffled, so that a batch is not of one class.
  for await (const batch of loader.batches({ epoch: 0, training: false, shuffle: true })) {
    const { data } = await engine.runtime.download(
      (await program.run({ pixels: batch.pixels })).y!,
    );
    batch.indices.forEach((sample, row) => {
      const values = (data as Float32Array).subarray(row * width, (row + 1) * width);
      if (sample >= 0) features.set(values, sample * width);
    });
  }
  await loader.close();
  return { features, width, labels: samples.map((s) => s.label) };
}
