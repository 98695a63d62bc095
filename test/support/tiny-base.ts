/** A tiny base of a real architecture as a folder, so that a whole run takes moments. */
import { saveModel } from '../../src/run/save-model.js';
import { tinyClassifier } from './tiny-classifiers.js';

/** Writes it; `modelType` is one of the tiny classifiers. The default compiles fastest; pictures are 32 pixels wide. */
export async function writeTinyBase(folder: string, modelType = 'resnet'): Promise<string> {
  const tiny = await tinyClassifier(modelType);
  await saveModel(folder, tiny, tiny.weights);
  return folder;
}
