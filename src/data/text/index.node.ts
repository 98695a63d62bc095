/** Text data on disk (Node). */
export { MAX_LINE } from './lines.js';
export * from './read-text-dataset.js';
export { RecordFile } from './record-file.js';
export { TEXT_ENDINGS } from './rows.js';
export * from './stream-texts.js';
export { looksLikeText, readTextLayout, type TextFile, type TextLayout } from './text-layout.js';
export * from './token-file.js';
