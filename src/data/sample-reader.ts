/** From one file to one row of a batch (Node): decode, view, augment, normalise. */
import { setImmediate } from 'node:timers/promises';
import type { ImagePreprocess } from '../models/index.js';
import type { KeyedRandom } from '../util/index.js';
import { type Augmentation, augmentPixels } from './augment.js';
import { type DecodedPicture, decodeReduced, viewPicture } from './decode.js';
import { randomErase } from './erase.js';
import type { Fill } from './geometry.js';
import type { Pixels } from './image.js';
import { channelsOf, meanColour, type Normalizer, normalizer } from './normalize.js';
import { PictureCache } from './picture-cache.js';
import { cropView, evalView, reductionFor, type TestView, type ViewOf } from './view.js';

/** Options of a {@link SampleReader}. */
export interface SampleReaderOptions {
  readonly preprocess: ImagePreprocess;
  readonly augmentation: Augmentation;
  /** Memory for whole pictures, and as much again for views. */
  readonly cacheBytes: number;
}

/** Reads samples into float32 [channels, height, width]; keeps decoded pictures within a budget. */
export class SampleReader {
  /** Values of a row. */
  readonly rowLength: number;
  readonly #options: SampleReaderOptions;
  readonly #normalize: Normalizer;
  readonly #fill: Fill;
  readonly #whole: PictureCache<DecodedPicture>;
  readonly #views: PictureCache<Pixels>;

  /** @throws ConfigError for a preprocessing that fits no picture */
  constructor(options: SampleReaderOptions) {
    const { preprocess, cacheBytes } = options;
    this.rowLength = channelsOf(preprocess) * preprocess.width * preprocess.height;
    this.#options = options;
    this.#normalize = normalizer(preprocess);
    this.#fill = meanColour(preprocess);
    this.#whole = new PictureCache(cacheBytes);
    this.#views = new PictureCache(cacheBytes);
  }

  /** Forgets what was kept, and keeps nothing more. */
  clear(): void {
    this.#whole.clear();
    this.#views.clear();
  }

  /** Writes a sample as it is trained on: the same random numbers give the same bits. */
  async train(file: string, random: KeyedRandom, out: Float32Array): Promise<void> {
    const { preprocess, augmentation } = this.#options;
    const { width, height } = preprocess;
    const { crop, erasing } = augmentation;
    const viewOf = crop ? cropView(preprocess, random.fold('crop'), crop) : evalView(preprocess);
    const picture = await this.#picture(file, viewOf);
    const view = viewPicture(picture, viewOf);
    this.#normalize(augmentPixels(view, random, augmentation, this.#fill), out);
    if (erasing) randomErase(out, width, height, random.fold('erase'), erasing);
  }

  /** Writes a sample as it is evaluated: the same every time, so its pixels are kept. */
  async evaluate(file: string, test: TestView, out: Float32Array): Promise<void> {
    const key = `${test.x} ${test.y} ${test.flip} ${file}`;
    let pixels = this.#views.get(key);
    if (!pixels) {
      const viewOf = evalView(this.#options.preprocess, test);
      pixels = viewPicture(await decodeFor(file, viewOf), viewOf);
      this.#views.put(key, pixels, pixels.data.byteLength);
    }
    this.#normalize(pixels, out);
  }

  /**
   * A whole picture, kept if no crop of it would ever be decoded reduced: then a crop of the kept
   * picture has the bits of a crop of the file.
   */
  async #picture(file: string, viewOf: ViewOf): Promise<DecodedPicture> {
    const kept = this.#whole.get(file);
    if (kept) {
      await setImmediate(); // kept pictures in a row must not hold up the main thread
      return kept;
    }
    const picture = await decodeFor(file, viewOf);
    const { width, height, pixels } = picture;
    const whole = { box: { left: 0, top: 0, width, height }, size: this.#options.preprocess };
    if (reductionFor({ ...viewOf(width, height), ...whole }) === 1) {
      this.#whole.put(file, picture, pixels.data.byteLength);
    }
    return picture;
  }
}

function decodeFor(file: string, viewOf: ViewOf): Promise<DecodedPicture> {
  return decodeReduced(file, (w, h) => reductionFor(viewOf(w, h)));
}
