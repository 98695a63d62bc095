/** Pictures of a data set as the flow of batches that the loop reads. */
import {
  balancedWeights,
  type ImageDataset,
  type ImageSample,
  type Skipped,
  TEST_VIEWS,
  type TestView,
} from '../data/index.js';
import {
  ImageLoader,
  type ImageLoaderOptions,
  type LoaderThread,
  WorkerImageLoader,
} from '../data/index.node.js';
import { type ImagePreprocess, type LoadedClassifier, PIXELS } from '../models/index.js';
import type { BatchStream, ReadOptions, StreamBatch } from '../train/index.js';
import type { FitChoices } from './options.js';

/** A {@link BatchStream} of pictures from files. */
export class ImageStream implements BatchStream<number> {
  readonly samples: number;
  readonly batchSize: number;
  /** Class of each sample. */
  readonly truth: readonly number[];
  readonly fingerprint: string;
  /** Names of the samples. */
  readonly ids: readonly string[];
  private readonly loader: ImageLoader;
  private readonly view: TestView;

  constructor(loader: ImageLoader, view: TestView = TEST_VIEWS.none[0]) {
    this.samples = loader.samples.length;
    this.batchSize = loader.batchSize;
    this.truth = loader.labels;
    this.ids = loader.samples.map((s) => s.id);
    this.fingerprint = `${loader.fingerprint}:${view.name}`;
    this.loader = loader;
    this.view = view;
  }

  /** Files that turned out to be unreadable so far. */
  get skipped(): readonly Skipped[] {
    return this.loader.skipped;
  }

  async *read(options: ReadOptions): AsyncGenerator<StreamBatch> {
    for await (const batch of this.loader.batches({ ...options, view: this.view })) {
      const { pixels, targets, weights, indices } = batch;
      yield { feeds: { [PIXELS]: pixels, targets, weights }, indices };
    }
  }

  labelFeeds(indices: readonly number[], training: boolean) {
    return { ...this.loader.labelsOf(indices, training) };
  }

  async close(): Promise<void> {
    await this.loader.close();
  }
}

/** How the pictures of a run are read. */
export interface StreamChoices {
  readonly choices: FitChoices;
  readonly preprocess: ImagePreprocess;
  /** Makes the batches of all parts. */
  readonly thread: LoaderThread;
}

/** The stream of one part of a data set; null when the part is empty. */
export function imageStream(
  dataset: ImageDataset,
  part: 'train' | 'valid' | 'test',
  { choices, preprocess, thread }: StreamChoices,
): ImageStream | null {
  const samples = dataset[part];
  if (samples.length === 0) return null;
  const classes = dataset.classes.length;
  const balanced = choices.classWeights === 'balanced';
  const options: ImageLoaderOptions = {
    classes,
    preprocess,
    batchSize: choices.batch,
    seed: choices.seed,
    augmentation: choices.augment,
    labelSmoothing: choices.labelSmoothing,
    strict: choices.strict,
    ...(balanced
      ? {
          classWeights: balancedWeights(
            samples.map((s) => s.label),
            classes,
          ),
        }
      : {}),
  };
  return new ImageStream(new WorkerImageLoader(samples, options, thread));
}

/** How pictures are shown to a finished model. */
export interface ViewChoices {
  readonly batch: number;
  /** Centre, corners and their mirror images instead of the centre alone. */
  readonly tta: boolean;
  /** True: an unreadable file is an error. */
  readonly strict?: boolean;
}

/** So many batches are over before a thread for them has started. */
const FEW_BATCHES = 2;

/**
 * One stream a view of some pictures; what a model says of them is averaged. They share a loader, so
 * closing one closes all.
 */
export function imageViews(
  samples: readonly ImageSample[],
  { config, preprocess }: Pick<LoadedClassifier, 'config' | 'preprocess'>,
  { batch, tta, strict = false }: ViewChoices,
): ImageStream[] {
  const classes = config.labels.length;
  const few = samples.length <= FEW_BATCHES * batch;
  const Loader = few ? ImageLoader : WorkerImageLoader;
  const loader = new Loader(samples, { classes, preprocess, batchSize: batch, strict });
  return TEST_VIEWS[tta ? 'ten-crop' : 'none'].map((view) => new ImageStream(loader, view));
}
