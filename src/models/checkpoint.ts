/** A checkpoint as models see it: small JSON files and tensors, wherever they lie. */
import type { TensorSource } from '../io/index.js';
import type { RawConfig } from './define-model.js';

/** The files of one checkpoint. */
export interface CheckpointFiles {
  /** For messages: a folder, a repository. */
  readonly name: string;
  /** A JSON file of the checkpoint; null when there is none of that name. */
  json(file: string): Promise<RawConfig | null>;
  /** The weights, from whichever format is there. */
  tensors(): Promise<TensorSource>;
}
