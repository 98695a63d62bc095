/** Rows of files as drafts with their places; of rows that lie on disk only what sorts them is kept. */
import { DataError } from '../../errors.js';
import { hashBytes, hashText, isLazy, lazyList } from '../../util/index.js';
import type { Skipped } from '../image.js';
import { type DataPart, partOf } from '../list.js';
import type { TextKind } from './dataset.js';
import { type Draft, draftOf } from './drafts.js';
import type { ReadFile } from './read-files.js';
import type { Recognised } from './recognise.js';
import { lineError } from './text-error.js';
import type { TextFile } from './text-layout.js';
import { placeOf, type TextRow } from './text-row.js';

/** A draft, where it came from, and the part that it belongs to. */
export interface PlacedDraft<K extends TextKind = TextKind> extends Omit<Draft<K>, 'key'> {
  readonly id: string;
  readonly part: DataPart | null;
  /** Stands for the key: drafts of one key have one mark, and no others have it. */
  readonly mark: string | number;
  /** 32 bits of the key that are the same wherever the draft lies, to draw by. */
  readonly lot: number;
}

/**
 * The part of a row: that of its file, or what its column `split` says.
 * @throws DataError `table` for a part that is none
 */
function partOfRow(file: TextFile, row: TextRow): DataPart | null {
  const named = row.values.get('split');
  if (file.part !== null || typeof named !== 'string') return file.part;
  const found = partOf(named.trim());
  if (found) return found;
  throw lineError(
    file.file,
    row.line,
    `the split "${named}" is none of train, valid, test. Give the row one of them, or leave it out.`,
  );
}

/** Rows of one file, and how they become drafts. */
interface Source<K extends TextKind> {
  readonly rows: readonly TextRow[];
  readonly file: TextFile;
  readonly draft: (row: TextRow, id: string) => ReturnType<typeof draftOf<K>>;
}

const ENCODER = new TextEncoder();

/** 52 bits of a hash: among ten million texts two share them with a chance of one in a hundred. */
const marked = (key: string) => Number.parseInt(hashBytes(ENCODER.encode(key)).slice(0, 13), 16);

/** A draft whose row is read again whenever more is asked for than where it belongs. */
class StoredDraft<K extends TextKind> implements PlacedDraft<K> {
  readonly part: DataPart | null;
  readonly mark: number;
  readonly lot: number;
  private readonly source: Source<K>;
  private readonly index: number;
  private readonly kept: readonly string[] | null;

  /** @param kept its names; null where they are many, and read again */
  constructor(
    source: Source<K>,
    index: number,
    { part, mark, lot }: Pick<StoredDraft<K>, 'part' | 'mark' | 'lot'>,
    kept: readonly string[] | null,
  ) {
    this.source = source;
    this.index = index;
    this.part = part;
    this.mark = mark;
    this.lot = lot;
    this.kept = kept;
  }

  get id(): string {
    return placeOf(this.source.file.id, this.source.rows[this.index]!);
  }

  get names(): readonly string[] {
    return this.kept ?? this.again().names;
  }

  get make(): Draft<K>['make'] {
    return this.again().make;
  }

  /** The same in another part. */
  movedTo(part: DataPart): StoredDraft<K> {
    const { source, index, mark, lot, kept } = this;
    return new StoredDraft(source, index, { part, mark, lot }, kept);
  }

  private again(): Draft<K> {
    const { rows, file, draft } = this.source;
    const row = rows[this.index]!;
    const again = draft(row, placeOf(file.id, row));
    if ('fault' in again) throw new DataError(`${file.id} changed while it was read.`);
    return again;
  }
}

/** Of equal lists of names one, so that millions of rows hold a few. */
function shared(): (names: readonly string[]) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (names) => {
    const key = JSON.stringify(names);
    const found = known.get(key);
    if (!found) known.set(key, names);
    return found ?? names;
  };
}

/** Drafts of all rows that can be used, in the order of the files. */
export function placedDrafts<K extends TextKind>(
  kind: K,
  { columns, read }: Recognised,
  files: readonly ReadFile[],
  skipped: Skipped[],
): PlacedDraft<K>[] {
  const found: PlacedDraft<K>[] = [];
  const keep = shared();
  for (const { file, rows } of files) {
    const draft = (row: TextRow, id: string) => draftOf(kind, read(row), id, columns);
    const source: Source<K> = { rows, file, draft };
    const stored = isLazy(rows);
    for (const [i, row] of rows.entries()) {
      const id = placeOf(file.id, row);
      const own = draft(row, id);
      if ('fault' in own) {
        skipped.push({ id, reason: own.fault });
        continue;
      }
      const part = partOfRow(file, row);
      const { key, ...rest } = own;
      const lot = hashText(key);
      if (stored) {
        // A sentence has a tag for each word.
        const names = kind === 'tags' ? null : keep(own.names);
        found.push(new StoredDraft(source, i, { part, mark: marked(key), lot }, names));
      } else found.push({ ...rest, id, part, mark: key, lot });
    }
  }
  return found;
}

/** The same drafts, all of them in one part. */
export function inPart<K extends TextKind>(
  drafts: readonly PlacedDraft<K>[],
  part: DataPart,
): PlacedDraft<K>[] {
  return drafts.map((d) => (d instanceof StoredDraft ? d.movedTo(part) : { ...d, part }));
}

/** What is made of each draft; of those on disk anew at every reading. */
export function madeOf<K extends TextKind, T>(
  drafts: readonly PlacedDraft<K>[],
  make: (draft: PlacedDraft<K>) => T,
): readonly T[] {
  const stored = drafts.some((d) => d instanceof StoredDraft);
  return stored ? lazyList(drafts.length, (i) => make(drafts[i]!)) : drafts.map(make);
}
