/** Files on disk (Node). */
export { type CheckpointFolder, openCheckpointFolder } from './checkpoint-folder.js';
export { type BaseOptions, type ResolvedBase, resolveBase } from './hub-base.js';
export { downloadSnapshot, type HubProgress, type SnapshotOptions } from './hub-download.js';
export { openKeras } from './keras.js';
export { makeFolder } from './make-folder.js';
export * from './onnx-file.js';
export { openWeights } from './open-weights.js';
export {
  openSafetensors,
  readSafetensors,
  type TensorsToWrite,
  writeSafetensors,
} from './safetensors-file.js';
export { type ShardOptions, writeSafetensorsFolder } from './safetensors-shards.js';
export { startWorker } from './start-worker.js';
export { openTorch } from './torch.js';
export * from './write-whole.js';
