/**
 * Weights stored in a byte each: whole numbers from -127 to 127 and, beside them, one scale a row, so that a
 * base of millions of words fits into a package. A tensor `x` is stored as `x` (int8) and `x.int8_scale`
 * (float32, one number for each index of the first axis).
 */
import { WeightsError } from '../errors.js';
import { type HostTensor, hostTensor, type TensorType } from '../graph/index.js';
import type { TensorSource } from './tensor-source.js';

/** What the name of a tensor of scales ends in. */
export const INT8_SCALE = '.int8_scale';

/** Largest number that is stored; -128 has no counterpart. */
const MOST = 127;

/** A tensor in bytes, with the scale of each row. */
export interface Int8Rows {
  readonly values: HostTensor;
  readonly scales: HostTensor;
}

/**
 * Rounds each row to 255 even steps around zero; the error is at most half a step, 1/254 of the row's
 * largest magnitude.
 * @param tensor float32, of one axis at least
 */
export function toInt8Rows({ shape, data }: HostTensor): Int8Rows {
  const rows = shape[0]!;
  const width = rows === 0 ? 0 : data.length / rows;
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = (data as Float32Array).subarray(r * width, (r + 1) * width);
    const largest = row.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    scales[r] = largest / MOST;
    if (largest === 0) continue;
    for (const [i, v] of row.entries()) values[r * width + i] = Math.round(v / scales[r]!);
  }
  return {
    values: hostTensor('int8', shape, values),
    scales: hostTensor('float32', [rows], scales),
  };
}

/** The float32 tensor that bytes and scales stand for. */
export function fromInt8Rows({ values, scales }: Int8Rows): HostTensor {
  const width = values.data.length / Math.max(1, scales.data.length);
  const out = new Float32Array(values.data.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = Number(values.data[i]) * Number(scales.data[Math.floor(i / width)]);
  }
  return hostTensor('float32', values.shape, out);
}

/** Whether `scale` is what {@link toInt8Rows} writes beside `type`. */
function fits(type: TensorType | undefined, scale: TensorType): boolean {
  return (
    type?.dtype === 'int8' &&
    type.shape.length >= 1 &&
    scale.dtype === 'float32' &&
    scale.shape.length === 1 &&
    scale.shape[0] === type.shape[0]
  );
}

/**
 * A source whose tensors in bytes are seen, and read, as the float32 tensors that they stand for. One without
 * any is given back as it is.
 * @throws WeightsError when scales do not fit what they are the scales of
 */
export function withInt8Rows(source: TensorSource): TensorSource {
  const names = [...source.types.keys()].filter((name) => name.endsWith(INT8_SCALE));
  if (names.length === 0) return source;
  const types = new Map(source.types);
  const stored = new Set<string>();
  for (const scale of names) {
    const name = scale.slice(0, -INT8_SCALE.length);
    const type = source.types.get(name);
    if (!type || !fits(type, source.types.get(scale)!)) {
      throw new WeightsError(
        `${scale} is [${source.types.get(scale)!.shape}], but ${name} is ${type ? `${type.dtype}[${type.shape}]` : 'not there'}: there must be one float32 scale for each row of an int8 tensor.`,
        { name, scale },
      );
    }
    types.delete(scale);
    types.set(name, { dtype: 'float32', shape: type.shape });
    stored.add(name);
  }
  return {
    types,
    metadata: source.metadata,
    close: () => source.close(),
    async read(name) {
      if (!stored.has(name)) return source.read(name);
      const [values, scales] = await Promise.all([
        source.read(name),
        source.read(`${name}${INT8_SCALE}`),
      ]);
      return fromInt8Rows({ values, scales });
    },
  };
}
