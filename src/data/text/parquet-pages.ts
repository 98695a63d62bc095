/** Whether the pages of a Parquet file lie where they say: a decoder that trusts them may never end. */
import type { AsyncBuffer, ColumnMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';

/** Bytes of the largest page, unpacked; writers make pages of 1 MB, dictionaries a little more. */
const MAX_PAGE_BYTES = 256 * 1024 * 1024;

const within = (value: unknown, low: number, high: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;

/**
 * How many values a page says it holds, 0 for a dictionary; an error when its numbers are wrong.
 */
function checkPage(header: ReturnType<typeof parquetHeader>, left: number, values: number): number {
  const { type, compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
  if (!within(packed, 0, left) || !within(unpacked, 0, MAX_PAGE_BYTES)) {
    throw new Error(`a page claims ${packed} bytes (${unpacked} unpacked), ${left} are left`);
  }
  if (type === 'DICTIONARY_PAGE') {
    const entries = header.dictionary_page_header?.num_values;
    if (!within(entries, 0, values)) throw new Error(`a dictionary claims ${entries} entries`);
    return 0;
  }
  const first = header.data_page_header;
  const second = header.data_page_header_v2;
  const count = type === 'DATA_PAGE' ? first?.num_values : second?.num_values;
  if (!within(count, 0, values)) throw new Error(`a page claims ${count} of ${values} values`);
  if (type === 'DATA_PAGE_V2' && second) {
    // Missing ones are refused too: the decoder would go on from a place that is no number.
    const { repetition_levels_byte_length: repetition, definition_levels_byte_length: definition } =
      second;
    const fits =
      within(repetition, 0, packed) &&
      within(definition, 0, packed - repetition) &&
      within(second.num_nulls, 0, second.num_values) &&
      within(second.num_rows, 0, second.num_values);
    if (!fits) throw new Error('a page claims more levels or rows than it has bytes or values');
  }
  return count!;
}

/**
 * Checks the headers of all pages of a column chunk.
 * @param size bytes of the file
 * @throws Error in words when a page lies outside of the chunk, or the values are not those that
 *   the metadata counts
 */
export async function checkPages(
  file: AsyncBuffer,
  column: ColumnMetaData,
  size: number,
): Promise<void> {
  const start = Number(column.dictionary_page_offset ?? column.data_page_offset);
  const length = Number(column.total_compressed_size);
  const values = Number(column.num_values);
  if (!within(start, 4, size) || !within(length, 0, size - start) || !within(values, 0, 2 ** 31)) {
    throw new Error(`a column of ${length} bytes at ${start} does not lie in a file of ${size}`);
  }
  const reader = { view: new DataView(await file.slice(start, start + length)), offset: 0 };
  let seen = 0;
  // One byte may be left over: the decoder takes no less for a page either.
  while (reader.offset < length - 1) {
    const header = parquetHeader(reader);
    seen += checkPage(header, length - reader.offset, values);
    reader.offset += header.compressed_page_size;
  }
  if (seen !== values) throw new Error(`a column has ${seen} values, not ${values}`);
}
