/** PyTorch checkpoints (Node): `.bin`, `.pt`, `.pth`, read without running anything in them. */
import { ByteFile } from './byte-file.js';
import type { TensorSource } from './tensor-source.js';
import { torchLegacySource } from './torch-legacy.js';
import { torchZipSource } from './torch-zip.js';
import { openShards } from './weight-shards.js';
import { ZipArchive } from './zip-file.js';

async function openOne(path: string): Promise<TensorSource> {
  const file = await ByteFile.open(path);
  const start = await file.read(0, Math.min(2, file.size));
  const isZip = start[0] === 0x50 && start[1] === 0x4b; // PK
  return isZip ? torchZipSource(await ZipArchive.open(file)) : torchLegacySource(file);
}

/**
 * Opens a checkpoint that `torch.save` wrote, zip or old format, or a set of them by its
 * `.index.json`. Of a training checkpoint the model's state dictionary is found under `state_dict`,
 * `model_state_dict` or `model`; plain values beside it come as metadata (`epoch`, `arch`). Prefixes
 * such as `module.` stay. Tensors are read when asked for; non-contiguous ones come contiguous.
 * @throws WeightsError when it is damaged, a TorchScript program, or holds anything but tensors and
 * plain containers; the message names what it asks for
 * @example
 * const weights = await openTorch('pytorch_model.bin');
 * const weight = await weights.read('classifier.weight');
 */
export async function openTorch(path: string): Promise<TensorSource> {
  return path.endsWith('.json') ? openShards(path, openOne) : openOne(path);
}
