/** Data sets on disk (Node). */
export * from './decode.js';
export * from './inspect.js';
export * from './layout.js';
export type { DataPart, GroupBy, LabelledFile } from './list.js';
export * from './loader.js';
export { LoaderThread } from './loader-thread.js';
export * from './read-image-dataset.js';
export * from './text/index.node.js';
export { type FoundFile, type Walked, walk } from './walk.js';
export { WorkerImageLoader } from './worker-loader.js';
