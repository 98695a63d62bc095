/** A run's model for other programs: `graft export`. */
import { stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { ConfigError, IoError } from '../errors.js';
import { exportHuggingFace, exportOnnxFile } from '../export/index.node.js';
import { loadRunModel } from './apply.js';
import { cardFacts, loadersNote } from './card-facts.js';
import { openEngine } from './engine.js';
import { RunFolder } from './run-folder.js';

/** What an export becomes. */
export type ExportKind = 'onnx' | 'huggingface';

/** Options of {@link exportRun}. */
export interface ExportOptions {
  readonly to: ExportKind;
  /** Folder to write; for `onnx` a file ending in `.onnx` is taken too. */
  readonly out: string;
  /** Overwrite what lies there. */
  readonly force?: boolean;
}

/** What was written. */
export interface RunExport {
  readonly run: string;
  readonly to: ExportKind;
  readonly out: string;
  readonly files: readonly string[];
  /** Who loads it, for people. */
  readonly note: string;
}

/**
 * Exports the model of a run that has ended.
 * @throws IoError `exists` when something else lies where it is to be written
 */
export async function exportRun(run: string, options: ExportOptions): Promise<RunExport> {
  const { isTextRun } = await import('./text/open-run.js');
  if (await isTextRun(run)) return (await import('./text/export.js')).exportTextRun(run, options);
  const { to, force = false } = options;
  const out = resolve(options.out);
  const engine = await openEngine({});
  const loaded = await loadRunModel(engine, run);
  const record = await new RunFolder(run).read();
  if (to === 'onnx') {
    const path = extname(out).toLowerCase() === '.onnx' ? out : join(out, 'model.onnx');
    if (!force && (await stat(path).catch(() => null))) {
      throw new IoError('exists', `${path} is there already. Overwrite it with --force.`, { path });
    }
    const { model, weights, config, preprocess } = loaded;
    const source = { model, weights, labels: config.labels, preprocess };
    const license = record.model.source?.license;
    const { base, method } = record.choices;
    const metadata = { base, method, ...(license ? { license } : {}) };
    const files = await exportOnnxFile(path, engine, source, { metadata });
    const note =
      'any ONNX Runtime runs it; what a picture must become first is described beside it';
    return { run, to, out: path, files, note };
  }
  if (loaded.definition.modelType === 'onnx') {
    throw new ConfigError(
      "A model on an .onnx base has no class in Hugging Face's libraries. Export it with --to onnx.",
      { run },
    );
  }
  const { folder, files, loaders } = await exportHuggingFace(out, engine, loaded, {
    card: cardFacts(record),
    force,
  });
  return { run, to, out: folder, files, note: loadersNote(loaders, ['onnx/model.onnx']) };
}
