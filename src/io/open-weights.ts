/** Weight files of any kind (Node), told apart by their first bytes: extensions lie. */
import { ByteFile, fileFault } from './byte-file.js';
import { HDF5_MAGIC, isKerasZip, kerasFileSource, kerasZipSource } from './keras.js';
import { safetensorsSource } from './safetensors-file.js';
import type { TensorSource } from './tensor-source.js';
import { torchLegacySource } from './torch-legacy.js';
import { torchRoot, torchZipSource } from './torch-zip.js';
import { openShards, someOf } from './weight-shards.js';
import { ZipArchive } from './zip-file.js';

/** Enough to know every format below, the last of which (tar) says its name at byte 257. */
const HEAD_BYTES = 265;

const starts = (head: Uint8Array, bytes: readonly number[]) => bytes.every((b, i) => head[i] === b);

/** What a file is that holds no weights we read, and what to do about it. */
function guess(head: Uint8Array, path: string): string {
  const text = new TextDecoder('latin1').decode(head);
  if (head.length === 0) return 'is empty. Fetch it again.';
  if (text.startsWith('version https://git-lfs')) {
    return 'is only a pointer of Git LFS to the weights. Fetch the file itself: git lfs pull.';
  }
  if (/^\s*</.test(text))
    return 'is a web page, not weights. The download went wrong; look inside.';
  if (text.startsWith('GGUF')) return 'is a GGUF file, whose quantised weights are not read.';
  if (text.slice(4, 8) === 'TFL3') return 'is a TensorFlow Lite model, which is not read.';
  if (text.startsWith('\x93NUMPY')) return 'is a NumPy array. Save the weights as safetensors.';
  if (starts(head, [0x1f, 0x8b])) return 'is compressed with gzip. Unpack it first: gunzip.';
  if (text.slice(257, 262) === 'ustar') return 'is a tar archive. Unpack it first: tar -xf.';
  if (path.endsWith('.onnx'))
    return 'is an ONNX model, which is imported as a graph, not as weights.';
  return 'is none of: safetensors, an index of shards, a PyTorch checkpoint, HDF5, .keras. It is damaged or of another format.';
}

async function openZip(file: ByteFile): Promise<TensorSource> {
  const zip = await ZipArchive.open(file);
  if (torchRoot(zip.names) !== undefined) return torchZipSource(zip);
  if (isKerasZip(zip.names)) return kerasZipSource(zip);
  await zip.close();
  throw fileFault(
    file.path,
    `is a zip archive of neither PyTorch nor Keras; it holds ${someOf(zip.names) || 'nothing'}.`,
    { code: 'weights-format' },
  );
}

/** Any single file, or an index of shards where `shards` allows one. */
async function openFile(path: string, shards: boolean): Promise<TensorSource> {
  const file = await ByteFile.open(path);
  let head: Uint8Array;
  try {
    head = await file.read(0, Math.min(HEAD_BYTES, file.size));
  } catch (error) {
    await file.close();
    throw error;
  }
  if (starts(head, [0x50, 0x4b, 0x03, 0x04])) return openZip(file);
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return torchLegacySource(file);
  // A length of less than 2^32 and the brace of a header; both are checked again, and strictly.
  if (starts(head.subarray(4), [0, 0, 0, 0, 0x7b])) return safetensorsSource(file);
  await file.close();
  if (starts(head, HDF5_MAGIC)) return kerasFileSource(path, file.size);
  if (shards && /^\s*\{/.test(new TextDecoder().decode(head))) {
    return openShards(path, (shard) => openFile(shard, false));
  }
  throw fileFault(path, guess(head, path), { code: 'weights-format' });
}

/**
 * Opens safetensors, PyTorch's and Keras's files and indices of shards, whatever they are called.
 * Tensors are read when asked for.
 * @throws WeightsError saying what the file is instead, or where it is damaged
 * @example
 * const weights = await openWeights('resnet18.pth');
 * console.log([...weights.types.keys()]);
 * await weights.close();
 */
export function openWeights(path: string): Promise<TensorSource> {
  return openFile(path, true);
}
