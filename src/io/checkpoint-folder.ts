/** A folder that holds a checkpoint, in the layout of Hugging Face's hub or with one weight file. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import { ByteFile, fileFault } from './byte-file.js';
import { withInt8Rows } from './int8-weights.js';
import { readJsonObject } from './json-file.js';
import { openWeights } from './open-weights.js';
import type { TensorSource } from './tensor-source.js';
import { someOf } from './weight-shards.js';

/** Names that Hugging Face's libraries write, the one that is preferred first. */
const KNOWN = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];
/** Larger text and binary files are refused; the largest tokenizer.json (Gemma's) has 33 MB. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
const WEIGHTS = /\.(?:safetensors|pth|pt|bin|ckpt|h5|hdf5|keras)$/i;

/** The files of one checkpoint: small JSON files, and the weights in whichever format is there. */
export interface CheckpointFolder {
  /** The folder, for messages. */
  readonly name: string;
  /**
   * A JSON object; null when there is no file of that name.
   * @throws WeightsError when it is larger than 32 MiB or no JSON, with line and column
   */
  json(file: string): Promise<Readonly<Record<string, unknown>> | null>;
  /**
   * A text file; null when there is no file of that name.
   * @throws WeightsError when it is larger than 64 MiB or no UTF-8
   */
  text(file: string): Promise<string | null>;
  /**
   * A file as it is; null when there is none of that name.
   * @throws WeightsError when it is larger than 64 MiB
   */
  bytes(file: string): Promise<Uint8Array | null>;
  /** @throws WeightsError listing what is there when that is no weight file or several */
  tensors(): Promise<TensorSource>;
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    // Links stay: the hub's cache is made of them, and opening says what they lead to.
    return entries
      .filter((e) => !e.isDirectory())
      .map((e) => e.name)
      .sort();
  } catch (cause) {
    throw fileFault(folder, `is no folder that can be read: ${(cause as Error).message}.`, {
      code: 'weights-file',
      cause,
    });
  }
}

/** The file to open. */
async function weightFile(folder: string): Promise<string> {
  const files = await filesIn(folder);
  const known = KNOWN.find((name) => files.includes(name));
  if (known) return known;
  const found = files.filter((name) => WEIGHTS.test(name));
  if (found.length === 1) return found[0]!;
  const expected = `Expected ${KNOWN.slice(0, 3).join(', ')} or a single .safetensors, .pth, .pt, .h5 or .keras file`;
  throw fileFault(
    folder,
    found.length === 0
      ? `holds no weights. ${expected}; found ${files.length ? someOf(files) : 'no files'}.`
      : `holds several weight files: ${someOf(found)}. ${expected}; give the path of the one that is meant.`,
    { found, code: found.length === 0 ? 'weights-missing' : 'weights-several' },
  );
}

/** Path of `file`, or null when the folder has none. @throws ConfigError when it is no plain name */
async function fileIn(folder: string, file: string): Promise<string | null> {
  if (['/', '\\', '\0'].some((c) => file.includes(c)) || file === '..') {
    throw new ConfigError(`'${file}' is not the name of a file in a checkpoint.`, { file });
  }
  return (await filesIn(folder)).includes(file) ? join(folder, file) : null;
}

async function readBounded(path: string): Promise<Uint8Array> {
  const file = await ByteFile.open(path);
  try {
    if (file.size > MAX_FILE_BYTES) {
      throw fileFault(
        path,
        `has ${file.size} bytes; such a file of a checkpoint has at most ${MAX_FILE_BYTES}.`,
        { size: file.size },
      );
    }
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

/**
 * A checkpoint in a folder. Nothing is read yet. Weights are `model.safetensors`, its index of shards,
 * `pytorch_model.bin`, its index, or the only weight file that there is.
 * @example
 * const checkpoint = openCheckpointFolder('bases/resnet-18');
 * const config = await checkpoint.json('config.json');
 * const weights = await checkpoint.tensors();
 */
export function openCheckpointFolder(folder: string): CheckpointFolder {
  return {
    name: folder,
    async json(file) {
      const path = await fileIn(folder, file);
      return path === null ? null : readJsonObject(path);
    },
    async text(file) {
      const path = await fileIn(folder, file);
      if (path === null) return null;
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(await readBounded(path));
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        throw fileFault(path, 'is not UTF-8 text.', { code: 'text', cause });
      }
    },
    async bytes(file) {
      const path = await fileIn(folder, file);
      return path === null ? null : readBounded(path);
    },
    async tensors() {
      const source = await openWeights(join(folder, await weightFile(folder)));
      try {
        return withInt8Rows(source);
      } catch (error) {
        await source.close();
        throw error;
      }
    },
  };
}
