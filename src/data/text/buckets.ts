/** Batches of texts of like length, padded to few lengths so that few programs are compiled. */
import { ConfigError } from '../../errors.js';
import type { KeyedRandom } from '../../util/index.js';

/**
 * Batches that are sorted by length together: within so many the texts are mixed by chance, and a
 * batch of the longest is rare. The number of Hugging Face's `LengthGroupedSampler`.
 */
const CHUNK_BATCHES = 50;

/** A batch of samples of like length. */
export interface LengthBatch {
  /** Numbers of the samples; the last batch of an epoch may have fewer than the others. */
  readonly indices: readonly number[];
  /** What they are padded to: at least the longest of them, unless that is cut to `maxLength`. */
  readonly length: number;
}

/** Options of {@link lengthBatches}. */
export interface LengthBatchOptions {
  readonly batchSize: number;
  /** Keys the order in training. */
  readonly random: KeyedRandom;
  readonly epoch: number;
  /** True: in random order; false: by length. */
  readonly training: boolean;
  /** What the model takes at most; longer texts are cut to it. */
  readonly maxLength?: number | undefined;
  /** Lengths to pad to, ascending, instead of {@link bucketLength}'s. */
  readonly buckets?: readonly number[] | undefined;
}

/**
 * The length that a text of `length` tokens is padded to: 8, 16, 24, 32, 48, 64, 96, 128, 192, ...,
 * powers of two and the middles between. All are multiples of 8, as matrix units like them; a text
 * of more than 16 tokens grows by less than a half, and up to 512 there are eleven.
 */
export function bucketLength(length: number, maxLength = Number.POSITIVE_INFINITY): number {
  let power = 8;
  while (power < length) {
    if (power >= 16 && power * 1.5 >= length) {
      power *= 1.5;
      break;
    }
    power *= 2;
  }
  return Math.min(power, maxLength);
}

/**
 * Padded lengths are multiples of it. Ten lengths for batches of SST's sentences add 10.2 % at 2 and 11.4 % at 4; 1 was
 * not tried.
 */
const STEP = 2;

/**
 * The lengths to pad to with which these have the least padding, so many at most. Each is a program of its
 * own, so they are few.
 * @param lengths tokens of each batch, or of each text
 * @param maxLength what the model takes at most; longer texts are cut to it
 * @returns ascending; the last one holds the longest
 */
export function fittedBuckets(
  lengths: ArrayLike<number>,
  { count, maxLength }: { readonly count: number; readonly maxLength: number },
): number[] {
  const cut = Array.from(lengths, (n) => Math.max(1, Math.min(n, maxLength)));
  const top = Math.ceil(cut.reduce((a, b) => Math.max(a, b), 1) / STEP);
  // How many there are up to each step of length.
  const counts = new Float64Array(top + 1);
  for (const n of cut) counts[Math.ceil(n / STEP)]!++;
  for (let i = 1; i <= top; i++) counts[i]! += counts[i - 1]!;
  const choose = Array.from({ length: count + 1 }, () => new Int32Array(top + 1));
  let cost = Float64Array.from({ length: top + 1 }, (_, i) =>
    i === 0 ? 0 : Number.POSITIVE_INFINITY,
  );
  for (let k = 1; k <= count; k++) {
    const next = Float64Array.from(cost);
    for (let end = 1; end <= top; end++) {
      choose[k]![end] = -1; // as with one bucket less
      for (let start = 0; start < end; start++) {
        const padded = cost[start]! + (counts[end]! - counts[start]!) * end;
        if (padded < next[end]!) {
          next[end] = padded;
          choose[k]![end] = start;
        }
      }
    }
    cost = next;
  }
  const buckets: number[] = [];
  for (let k = count, end = top; end > 0 && k > 0; k--) {
    const start = choose[k]![end]!;
    if (start < 0) continue;
    buckets.unshift(Math.min(end * STEP, maxLength));
    end = start;
  }
  return buckets;
}

function checkOptions(
  lengths: ArrayLike<number>,
  { batchSize, maxLength, buckets }: LengthBatchOptions,
): void {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`The batch size is a positive integer, got ${batchSize}.`, { batchSize });
  }
  if (maxLength !== undefined && (!Number.isInteger(maxLength) || maxLength < 1)) {
    throw new ConfigError(`The longest length is a positive integer, got ${maxLength}.`, {
      maxLength,
    });
  }
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i]!;
    if (!Number.isInteger(length) || length < 0) {
      throw new ConfigError(`Sample ${i} has the length ${length}; lengths are whole numbers.`, {
        sample: i,
        length,
      });
    }
  }
  if (buckets && (buckets.length === 0 || buckets.some((b, i) => !(b > (buckets[i - 1] ?? 0))))) {
    throw new ConfigError(`Buckets are ascending lengths, got ${buckets.join(', ')}.`, { buckets });
  }
}

/**
 * Samples, longest first; equals in the order of their numbers, so that it is the same everywhere.
 */
function byLength(samples: readonly number[], lengths: ArrayLike<number>): number[] {
  return [...samples].sort((a, b) => lengths[b]! - lengths[a]! || a - b);
}

const chunks = (items: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );

/**
 * Batches of all samples, each once; ceil(samples / batch size) batches. In training, samples are
 * shuffled, sorted by length within chunks of 50 batches, and the batches shuffled; it depends on
 * the key and the epoch alone. In evaluation they are sorted by length, the longest first, so that
 * memory that does not suffice shows at once.
 * @param lengths tokens of each sample
 * @throws ConfigError for options or lengths that are none
 */
export function lengthBatches(
  lengths: ArrayLike<number>,
  options: LengthBatchOptions,
): LengthBatch[] {
  checkOptions(lengths, options);
  const { batchSize, training, epoch, maxLength, buckets } = options;
  const random = options.random.fold('length-batches').fold(epoch);
  const order = training
    ? chunks(random.fold('samples').permutation(lengths.length), batchSize * CHUNK_BATCHES)
    : [Array.from({ length: lengths.length }, (_, i) => i)];
  const batches = order.flatMap((chunk) => chunks(byLength(chunk, lengths), batchSize));
  if (training) random.fold('batches').shuffle(batches);
  return batches.map((indices) => {
    const longest = Math.max(1, ...indices.map((i) => lengths[i]!));
    const cut = Math.min(longest, maxLength ?? longest);
    const given = buckets?.find((b) => b >= cut);
    const length = given ?? (buckets ? cut : bucketLength(cut));
    return { indices, length: Math.min(length, maxLength ?? length) };
  });
}
