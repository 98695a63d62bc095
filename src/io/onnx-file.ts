/** ONNX files on disk with their external data (Node). */
import { type FileHandle, open, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { WeightsError } from '../errors.js';
import {
  type EncodedModel,
  type ExternalOptions,
  type ExternalReader,
  externalFiles,
  type OnnxModel,
  readOnnx,
  singleFile,
} from '../onnx/index.js';
import { writeWhole } from './write-whole.js';

/** A model file that has been read, and how to reach the weights beside it. */
export interface OnnxFile {
  readonly model: OnnxModel;
  readonly external: ExternalReader;
}

function outside(path: string, file: string): WeightsError {
  return new WeightsError(
    `'${file}' keeps weights in '${path}', which leads out of its folder. Refusing to read it; put the weights beside the model.`,
    { path, file },
    { code: 'onnx-path' },
  );
}

async function readRange(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done === length ? bytes : bytes.subarray(0, done);
}

/**
 * A reader of files in one folder. What a path leads to, links followed, must lie in the folder,
 * and nothing is allocated before the file is known to be long enough.
 */
export function folderReader(folder: string, file = folder): ExternalReader {
  return async (path, offset, length) => {
    const root = await realpath(folder);
    let target: string;
    let handle: FileHandle;
    try {
      target = await realpath(resolve(root, path));
      if (!target.startsWith(root.endsWith(sep) ? root : root + sep)) throw outside(path, file);
      // Before opening: a pipe would make that wait for ever.
      if (!(await stat(target)).isFile()) throw new Error('it is not a file');
      handle = await open(target, 'r');
    } catch (cause) {
      if (cause instanceof WeightsError) throw cause;
      throw new WeightsError(
        `'${file}' keeps weights in '${path}', which cannot be read: ${(cause as Error).message}. Fetch all files of the model.`,
        { path, file },
        { code: 'onnx-external', cause },
      );
    }
    try {
      const { size } = await handle.stat();
      if (offset + length > size) {
        throw new WeightsError(
          `'${path}' has ${size} bytes, but '${file}' wants ${length} from byte ${offset} on. The file is cut off or belongs to another model.`,
          { path, file, size },
          { code: 'onnx-data' },
        );
      }
      return await readRange(handle, offset, length);
    } finally {
      await handle.close();
    }
  };
}

/**
 * Reads a model; its external weights are read when an import asks for them.
 * @throws WeightsError when it is missing or damaged
 * @example
 * const { model, external } = await readOnnxFile('resnet.onnx');
 * const net = await importOnnx(engine, model, { external, dims: { batch: 8 } });
 */
export async function readOnnxFile(path: string): Promise<OnnxFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new WeightsError(
      `The model '${path}' cannot be read: ${(cause as Error).message}.`,
      { path },
      { cause },
    );
  }
  return { model: readOnnx(bytes), external: folderReader(dirname(path), path) };
}

/** How {@link writeOnnxFile} lays a model out. */
export interface WriteOptions extends Omit<ExternalOptions, 'name'> {
  /** Keep the weights in a file of their own; needed above 2 GiB. Defaults to false. */
  readonly external?: boolean;
}

/**
 * Writes an encoded model to disk, weights first. Encode it with `keepNames`, so that others find
 * its inputs by name.
 * @returns the paths written
 */
export async function writeOnnxFile(
  path: string,
  model: EncodedModel,
  { external = false, ...options }: WriteOptions = {},
): Promise<string[]> {
  const folder = dirname(path);
  const name = basename(path);
  const files = external ? externalFiles(model, { ...options, name }) : [singleFile(model, name)];
  const written: string[] = [];
  for (const file of files.toReversed()) {
    const target = join(folder, file.name);
    await writeWhole(target, file.chunks());
    written.push(target);
  }
  return written;
}
