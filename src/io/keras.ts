/**
 * Keras weights (Node): `.h5` of Keras 1 to 3 (weights alone or a whole model) and `.keras`.
 * @see https://github.com/keras-team/keras/blob/master/keras/src/saving/saving_lib.py and
 * https://github.com/keras-team/keras/blob/master/keras/src/legacy/saving/legacy_h5_format.py
 */
import { sizeOf, type TensorType } from '../graph/index.js';
import { ByteFile, fileFault } from './byte-file.js';
import { Hdf5File } from './keras-hdf5.js';
import { kerasWeights } from './keras-names.js';
import type { Hdf5Data, Hdf5Object } from './keras-worker.js';
import { fromStored, loadedType, MAX_RANK, type StoredType, storedBytes } from './stored-tensor.js';
import type { TensorSource } from './tensor-source.js';
import { someOf } from './weight-shards.js';
import { ZipArchive } from './zip-file.js';

/** A compressed dataset may unpack to this many bytes, and to what deflate can reach at most. */
const MAX_UNPACKED_BYTES = 1024 * 1024 * 1024;
const MAX_DEFLATE_RATIO = 1032;
const WEIGHTS = 'model.weights.h5';

/** The first bytes of an HDF5 file. */
export const HDF5_MAGIC = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** True for the directory of a `.keras` archive. */
export function isKerasZip(names: readonly string[]): boolean {
  return names.includes('config.json') && names.some((n) => n.startsWith('model.weights.'));
}

function storedType({ dataset, attributes }: Hdf5Object): StoredType | undefined {
  if (!dataset || dataset.virtual) return undefined;
  const { kind, width, signed } = dataset;
  // Keras marks bfloat16, which HDF5 has no type for.
  if (attributes.dtype?.[0] === 'bfloat16') return width === 2 ? 'bfloat16' : undefined;
  if (kind === 'bool') return width === 1 ? 'bool' : undefined;
  const types: Record<string, StoredType> = {
    ...{ float2: 'float16', float4: 'float32', float8: 'float64' },
    ...{ int1: 'int8', int2: 'int16', int4: 'int32', int8: 'int64' },
    ...{ uint1: 'uint8', uint2: 'uint16', uint4: 'uint32', uint8: 'uint64' },
  };
  const key = `${kind === 'int' && !signed ? 'u' : ''}${kind}${width}`;
  return Object.hasOwn(types, key) ? types[key] : undefined;
}

interface Weight {
  readonly path: string;
  readonly stored: StoredType;
  readonly shape: readonly number[];
}

/** A dataset whose claims are possible in a file of `fileBytes`. */
function weightOf(file: string, object: Hdf5Object, fileBytes: number): Weight {
  const stored = storedType(object);
  const { shape, filtered } = object.dataset!;
  if (!stored || !shape || shape.length > MAX_RANK) {
    throw fileFault(
      file,
      `holds '${object.path}' in a form that no weight has (${JSON.stringify(object.dataset)}).`,
      { code: 'weights-dtype' },
    );
  }
  const bytes = sizeOf(shape) * storedBytes(stored);
  const most = filtered ? Math.min(MAX_UNPACKED_BYTES, fileBytes * MAX_DEFLATE_RATIO) : fileBytes;
  if (!(bytes <= most)) {
    throw fileFault(
      file,
      `claims ${bytes} bytes for '${object.path}', but a file of ${fileBytes} bytes has at most ${most} for it. It is cut off or damaged.`,
    );
  }
  return { path: object.path, stored, shape };
}

async function hdf5Source(
  path: string,
  data: Hdf5Data,
  limitMs: number | undefined,
): Promise<TensorSource> {
  const fileBytes = 'bytes' in data ? data.bytes.length : data.size;
  const file = new Hdf5File(path, data, limitMs);
  try {
    const list = await file.list();
    const { weights: paths, missing } = kerasWeights(list);
    if (missing.length > 0) {
      throw fileFault(path, `lists weights that it does not hold: ${someOf(missing)}.`, {
        missing,
      });
    }
    if (paths.size === 0) {
      const held = list.filter((o) => o.dataset).map((o) => o.path);
      throw fileFault(
        path,
        `is HDF5, but not laid out as Keras does; it holds ${held.length ? someOf(held) : 'nothing'}.`,
      );
    }
    const objects = new Map(list.map((object) => [object.path, object]));
    const weights = new Map(
      [...paths].map(([name, at]) => [name, weightOf(path, objects.get(at)!, fileBytes)] as const),
    );
    const types = new Map<string, TensorType>(
      [...weights].map(([name, { stored, shape }]) => [name, { dtype: loadedType(stored), shape }]),
    );
    const attributes = {
      ...objects.get('')?.attributes,
      ...objects.get('model_weights')?.attributes,
    };
    const metadata = Object.fromEntries(
      ['keras_version', 'backend'].flatMap((k) =>
        attributes[k]?.[0] ? [[k, attributes[k][0]]] : [],
      ),
    );
    return {
      types,
      metadata,
      async read(name) {
        const weight = weights.get(name);
        if (!weight) throw fileFault(path, `has no tensor '${name}'.`, { name });
        return fromStored(weight.stored, weight.shape, await file.read(weight.path));
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The weights inside a `.keras` archive, which is closed when they were found. */
export async function kerasZipSource(zip: ZipArchive, limitMs?: number): Promise<TensorSource> {
  let data: Hdf5Data;
  try {
    const size = zip.sizeOf(WEIGHTS);
    if (size === undefined) {
      throw fileFault(
        zip.path,
        `holds no '${WEIGHTS}' (one file of weights in HDF5), but ${someOf(zip.names)}. Save the model with Keras's default format and without shards.`,
      );
    }
    const place = await zip.place(WEIGHTS);
    data = place
      ? { path: zip.path, start: place.start, size: place.size }
      : { bytes: await zip.readAll(WEIGHTS, size) };
  } finally {
    await zip.close();
  }
  return hdf5Source(zip.path, data, limitMs);
}

/** Reads an HDF5 file through a thread; see {@link openKeras} for the options. */
export function kerasFileSource(
  path: string,
  size: number,
  limitMs?: number,
): Promise<TensorSource> {
  return hdf5Source(path, { path, start: 0, size }, limitMs);
}

/**
 * Opens Keras weights: names are `layer/weight` as {@link kerasWeights} says. HDF5 is read by a C
 * library in a thread of its own with 512 MiB of memory, in pieces along the first axis, so one row of
 * a tensor may have at most about 256 MiB; a compressed tensor may unpack to 1 GiB.
 * @param limitMs milliseconds without progress after which a damaged file is given up; 60 s by default
 * @throws WeightsError when it is damaged, or laid out in another way than Keras does
 */
export async function openKeras(path: string, limitMs?: number): Promise<TensorSource> {
  const file = await ByteFile.open(path);
  const start = await file.read(0, Math.min(HDF5_MAGIC.length, file.size));
  if (start[0] === 0x50 && start[1] === 0x4b) {
    return kerasZipSource(await ZipArchive.open(file), limitMs);
  }
  await file.close();
  if (!HDF5_MAGIC.every((byte, i) => start[i] === byte)) {
    throw fileFault(path, 'is neither HDF5 nor a .keras archive.', { code: 'weights-format' });
  }
  return kerasFileSource(path, file.size, limitMs);
}
