/** Text that is larger than memory as a stream of blocks: its tokens lie in a file, batches are read from it. */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Tokenizer } from '../../data/index.js';
import {
  createTokenFile,
  type DataPart,
  openTokenFile,
  readTextLayout,
  streamTexts,
  type TokenFile,
} from '../../data/index.node.js';
import { DataError } from '../../errors.js';
import type { TextPlace, TextTask, TokenBlock } from '../../tasks/index.js';
import type { ReadOptions, StreamBatch } from '../../train/index.js';
import { KeyedRandom } from '../../util/index.js';
import type { NamedStream } from '../workload.js';

/** Texts as one file of tokens, with what stands for their content. */
export interface TokenizedTexts {
  /** Path of the token file. */
  readonly path: string;
  readonly tokens: number;
  readonly fingerprint: string;
}

/** Special tokens around each document. */
export interface DocumentMarks {
  readonly lead: readonly number[];
  readonly end: number;
}

/** A file of texts, before it is read. */
export interface SizedTexts {
  readonly file: string;
  readonly ending: string;
  /** See `TextFile`. */
  readonly part: DataPart | null;
  readonly label?: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds of its last change. */
  readonly changed: number;
}

/**
 * The files of texts at `path`, a file or a folder.
 * @throws DataError when there are none
 */
export async function sizedTexts(path: string): Promise<SizedTexts[]> {
  const { files } = await readTextLayout(path);
  return Promise.all(
    files.map(async ({ file, part, label }) => {
      const { size, mtimeMs } = await stat(file);
      const ending = extname(file).slice(1).toLowerCase();
      return {
        file,
        ending,
        part,
        ...(label === undefined ? {} : { label }),
        size,
        changed: mtimeMs,
      };
    }),
  );
}

/** Token files that no run has asked for since are removed: each is as large as the text that it was made of. */
const KEPT_DAYS = 30;
const TOKEN_FILE = /^graft-tokens-[0-9a-f]{32}$/;

/** Removes token files of texts that are done with; what cannot be removed is somebody else's. */
async function removeOld(folder: string, now: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!TOKEN_FILE.test(name)) continue;
    const file = join(folder, name);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: now }));
    if (now - mtimeMs > KEPT_DAYS * 24 * 3600 * 1000)
      await rm(file, { force: true }).catch(() => {});
  }
}

/**
 * Writes the tokens of all texts at `path`, each document between its marks, into a file of the system's
 * temporary folder. It is found again as long as texts (by name, size and time of change) and tokenizer are the same.
 * @param progress bytes read, and all
 * @throws DataError when there is no text
 */
export async function tokenizedTexts(
  path: string,
  tokenizer: Tokenizer,
  { lead, end }: DocumentMarks,
  progress: (done: number, total: number) => void,
): Promise<TokenizedTexts> {
  const files = (await sizedTexts(path)).map(({ file, size, changed }) => [file, size, changed]);
  const key = createHash('sha256')
    .update(JSON.stringify([files, lead, end, ...tokenizer.files()]))
    .digest('hex')
    .slice(0, 32);
  const place = join(tmpdir(), `graft-tokens-${key}`);
  const now = new Date();
  if (await stat(place).catch(() => null)) {
    // The time of its last change is that of its last use; a file of somebody else's keeps its own.
    await utimes(place, now, now).catch(() => {});
  } else {
    await removeOld(tmpdir(), now.getTime());
    const beside = `${place}.${randomUUID()}`;
    const writer = await createTokenFile(beside, { vocabulary: tokenizer.vocabularySize });
    try {
      for await (const text of streamTexts(path, { progress })) {
        const ids = tokenizer.ids(text, { addSpecialTokens: false });
        await writer.append([...lead, ...ids, end]);
      }
      await writer.finish();
      await rename(beside, place);
    } catch (error) {
      await writer.discard().catch(() => {});
      await rm(beside, { force: true });
      throw error;
    }
  }
  const { tokens, close } = await openTokenFile(place);
  await close();
  if (tokens > 0) return { path: place, tokens, fingerprint: key };
  throw new DataError(`There is no text in ${path}.`, { path }, { code: 'no-data' });
}

/** What the blocks of a stream are made of. */
export interface BlockStreamOptions {
  readonly task: TextTask<TokenBlock, null>;
  readonly file: TokenFile;
  /** Stands for what is in the file. */
  readonly fingerprint: string;
  /** Blocks of the file that belong to this part. */
  readonly first: number;
  readonly count: number;
  /** Tokens of a block, special ones included. */
  readonly tokens: number;
  /** Special tokens around each block. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly batchSize: number;
  readonly padToken: number;
  readonly inputs: readonly string[];
  readonly seed: number;
  readonly part: string;
}

/** Tokens of text in a block. */
export function roomOf({
  tokens,
  before,
  after,
}: Pick<BlockStreamOptions, 'tokens' | 'before' | 'after'>): number {
  return tokens - before.length - after.length;
}

/** Blocks of a token file; only the batch at hand is in memory. */
export class BlockStream implements NamedStream {
  readonly samples: number;
  readonly batchSize: number;
  readonly truth: readonly null[];
  readonly ofTokens = true;
  readonly ids: readonly string[];
  readonly fingerprint: string;
  private readonly options: BlockStreamOptions;

  constructor(options: BlockStreamOptions) {
    const { count, part, fingerprint, batchSize } = options;
    this.options = options;
    this.samples = count;
    this.batchSize = batchSize;
    this.truth = new Array<null>(count).fill(null);
    this.ids = Array.from({ length: count }, (_, i) => `${part}, block ${i + 1}`);
    this.fingerprint = `${fingerprint}:${part}:${options.tokens}:${count}`;
  }

  async *read({ epoch, from = 0, training }: ReadOptions): AsyncGenerator<StreamBatch> {
    const { seed } = this.options;
    const key = KeyedRandom.of(seed).fold('blocks').fold(epoch);
    const order = training ? key.permutation(this.samples) : null;
    for (let start = from * this.batchSize; start < this.samples; start += this.batchSize) {
      const indices = Array.from({ length: this.batchSize }, (_, i) => {
        const at = start + i;
        return at < this.samples ? (order?.[at] ?? at) : -1;
      });
      yield this.batch(indices, training ? key : null);
    }
  }

  labelFeeds(): never {
    // Features of blocks are not kept: which of their words are hidden differs from pass to pass.
    throw new Error('BlockStream: blocks have no labels apart from their words.');
  }

  private async batch(
    indices: readonly number[],
    random: KeyedRandom | null,
  ): Promise<StreamBatch> {
    const { task, file, first, tokens, before, after, padToken, inputs } = this.options;
    const room = roomOf(this.options);
    const rows = await Promise.all(
      indices.map(async (i) => {
        if (i < 0) return null;
        const start = (first + i) * room;
        const own = await file.read(start, Math.min(room, file.tokens - start));
        const ids = Int32Array.from([...before, ...own, ...after]);
        return { ids, typeIds: null, labels: ids, truncated: 0 };
      }),
    );
    const place: TextPlace = {
      tokens,
      decoderTokens: 0,
      padToken,
      inputs,
      random: random && ((row) => random.fold(indices[row]!)),
    };
    return { feeds: { ...task.inputs(rows, place), ...task.targets(rows, place) }, indices };
  }
}
