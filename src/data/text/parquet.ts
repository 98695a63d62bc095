/** Rows of Parquet files (Node), one row group in memory at a time. */
import { stat } from 'node:fs/promises';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { DataError } from '../../errors.js';
import { columnName } from '../table.js';
import type { ReadOptions } from './lines.js';
import { checkPages } from './parquet-pages.js';
import { objectValues, type TextRow, type TextTable } from './text-row.js';

/**
 * Bytes of the largest row group, unpacked; writers make groups of 128 MB to 512 MB. A few bytes in
 * a footer can claim any size.
 */
const MAX_GROUP_BYTES = 1024 * 1024 * 1024;

/** Rows of the largest row group: a million is the default of the largest writers. */
const MAX_GROUP_ROWS = 16 * 1024 * 1024;

function damaged(file: string, reason: string, cause?: unknown): DataError {
  return new DataError(
    `${file} cannot be read as Parquet: ${reason}. Is the file complete? Write it again.`,
    { file, reason },
    { code: 'parquet', ...(cause === undefined ? {} : { cause }) },
  );
}

/** Values as JSON has them: whole numbers as numbers, dates as texts, bytes left out. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return null;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, plain(v)]));
  }
  return value;
}

/** Names of the classes that Hugging Face's writer keeps beside columns of numbers. */
function classNames(metadata: FileMetaData): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const note = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  if (note === undefined) return found;
  let features: unknown;
  try {
    features = (JSON.parse(note) as { info?: { features?: unknown } } | null)?.info?.features;
  } catch {
    return found; // A note for people who like it; the data does without.
  }
  if (typeof features !== 'object' || features === null) return found;
  for (const [column, described] of Object.entries(features)) {
    // A list is described by its entries, or as a list of one description.
    const feature: unknown = Array.isArray(described) ? described[0] : described;
    const { names, feature: inner } = (feature ?? {}) as { names?: unknown; feature?: unknown };
    const list = names ?? (inner as { names?: unknown } | null | undefined)?.names;
    if (Array.isArray(list) && list.every((n) => typeof n === 'string')) {
      found.set(columnName(column), list);
    }
  }
  return found;
}

function named(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((v) => named(v, names));
  // -1 stands for "not told" in test parts.
  return typeof value === 'number' ? (names[value] ?? null) : value;
}

/**
 * Rows of a Parquet file; `line` is the number of the row. Numbers of classes become their names
 * where Hugging Face's metadata has them.
 * @throws DataError `parquet`
 */
export function parquetRows(file: string, { progress }: ReadOptions): TextTable {
  const columns = new Set<string>();
  async function* rows(): AsyncGenerator<TextRow> {
    const size = (await stat(file).catch(() => null))?.size;
    if (size === undefined) {
      throw new DataError(`There is no file ${file}.`, { file }, { code: 'no-data' });
    }
    const source = await asyncBufferFromFile(file);
    // The decoder starts all columns and may then fail before it listens to any: what it fetched
    // must not come back to it, or a second fault would end the process as one that nobody handles.
    let failed = false;
    const buffer: AsyncBuffer = {
      byteLength: source.byteLength,
      slice: async (start, end) => {
        const bytes = await source.slice(start, end);
        return failed ? new Promise<never>(() => {}) : bytes;
      },
    };
    let metadata: FileMetaData;
    try {
      metadata = await parquetMetadataAsync(buffer);
    } catch (error) {
      throw damaged(file, (error as Error).message, error);
    }
    const names = classNames(metadata);
    let from = 0;
    for (const [g, group] of metadata.row_groups.entries()) {
      const count = Number(group.num_rows);
      const bytes = group.columns.reduce(
        (sum, c) => sum + Number(c.meta_data?.total_uncompressed_size ?? 0),
        0,
      );
      if (!(count >= 0 && count <= MAX_GROUP_ROWS) || !(bytes >= 0 && bytes <= MAX_GROUP_BYTES)) {
        throw damaged(
          file,
          `row group ${g + 1} claims ${count} rows and ${bytes} bytes; up to ${MAX_GROUP_ROWS} and ${MAX_GROUP_BYTES} are read`,
        );
      }
      let objects: Record<string, unknown>[];
      try {
        for (const { meta_data } of group.columns) {
          if (!meta_data) throw new Error(`row group ${g + 1} has a column without metadata`);
          await checkPages(buffer, meta_data, size);
        }
        objects = await parquetReadObjects({
          file: buffer,
          metadata,
          rowStart: from,
          rowEnd: from + count,
          compressors,
        });
      } catch (error) {
        failed = true;
        throw damaged(file, (error as Error).message, error);
      }
      if (objects.length !== count) {
        throw damaged(file, `row group ${g + 1} has ${objects.length} rows, not ${count}`);
      }
      for (const [i, object] of objects.entries()) {
        const values = objectValues(plain(object), columns);
        if (!values) throw damaged(file, `row ${from + i + 1} is none`);
        for (const [column, list] of names) {
          const value = named(values.get(column), list);
          if (value === null || value === undefined) values.delete(column);
          else values.set(column, value);
        }
        yield { line: from + i + 1, last: from + i + 1, values };
      }
      from += count;
      progress?.(Math.min(size, Math.round((size * (g + 1)) / metadata.row_groups.length)));
    }
  }
  return { columns, rows: rows() };
}
