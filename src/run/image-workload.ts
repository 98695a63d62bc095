/** Pictures and an image base as the workload of a run. */
import { LoaderThread, readImageDataset } from '../data/index.node.js';
import type { ImageClassifier } from '../models/index.js';
import { imageClassification, type TaskDefinition } from '../tasks/index.js';
import { loadBase, type PreparedModel, prepareModel } from './base.js';
import { imageDataRecord } from './data-record.js';
import { type ImageStream, imageStream } from './image-stream.js';
import type { FitChoices } from './options.js';
import { predictPart } from './predictions.js';
import { writeRunReport } from './report.js';
import { saveModel } from './save-model.js';
import { leftOutText } from './summary.js';
import type { PreparedNetwork, Workload, WorkloadContext } from './workload.js';

/** @throws the signal's reason when it is aborted on the way */
export async function openImageWorkload(
  choices: FitChoices,
  { engine, listener, signal }: WorkloadContext,
): Promise<Workload> {
  const downloads = ({ file, bytes, total }: { file: string; bytes: number; total: number }) => {
    signal?.throwIfAborted();
    listener({ type: 'download', file, bytes, total });
  };
  const loaded = await loadBase(engine, choices.base, choices, downloads);
  const dataset = await readImageDataset(choices.data, {
    ...(choices.valid === undefined ? {} : { valid: choices.valid }),
    seed: choices.seed,
    strict: choices.strict,
    progress: (done: number, total: number) => {
      signal?.throwIfAborted();
      listener({ type: 'data', done, total });
    },
  });
  const { skipped } = dataset;
  if (skipped.length > 0) listener({ type: 'note', text: leftOutText({ skipped }) });
  const options = { labels: dataset.classes, size: choices.size, seed: choices.seed };
  const prepared = prepareModel(loaded, { ...options, fresh: choices.method === 'scratch' });
  const asNetwork = (made: PreparedModel): PreparedNetwork => ({
    model: made.model,
    weights: made.weights,
    structure: made.structure,
    isHead: made.isHead,
    hasRole: (path, role) => made.definition.roles[role]?.test(path) ?? false,
    modality: 'image',
    headTrained: false,
  });
  const { preprocess } = prepared;
  return {
    task: imageClassification as TaskDefinition,
    choices: { ...choices, task: 'image-classification' },
    data: imageDataRecord(dataset),
    model: {
      modelType: prepared.definition.modelType,
      preprocess,
      source: prepared.source,
    },
    async prepare(fresh) {
      if (fresh === (choices.method === 'scratch')) return asNetwork(prepared);
      const again = await loadBase(engine, choices.base, choices);
      return asNetwork(prepareModel(again, { ...options, fresh }));
    },
    async streams() {
      const thread = new LoaderThread();
      const stream = (part: 'train' | 'valid' | 'test') =>
        imageStream(dataset, part, { choices, preprocess, thread });
      return {
        train: stream('train')!,
        valid: stream('valid'),
        test: stream('test'),
        close: () => thread.close(), // and with it all that it reads
      };
    },
    predict: ({ model }, weights, { part, stream, signal: stop }) =>
      predictPart(engine, { model: model as ImageClassifier }, weights, {
        part,
        stream: stream as ImageStream,
        signal: stop,
      }),
    save: (path, _network, weights) => saveModel(path, prepared, weights),
    report: (folder, record) => writeRunReport(folder, record, { engine, dataset }),
  };
}
