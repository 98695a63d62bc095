/** The text model of a run for other programs. */
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { ConfigError, IoError } from '../../errors.js';
import { exportHuggingFaceText, exportTextOnnxFiles } from '../../export/index.node.js';
import { cardFacts, loadersNote } from '../card-facts.js';
import { openEngine } from '../engine.js';
import type { ExportOptions, RunExport } from '../export-run.js';
import { openTextRun, type TextRun } from './open-run.js';

/** Where ONNX files go: a folder, or one file with what belongs to it beside. */
function placeOf({ loaded }: TextRun, out: string): { folder: string; rename?: string } {
  if (extname(out).toLowerCase() !== '.onnx') return { folder: out };
  const paired = loaded.definition.kind === 'encoder-decoder';
  if (paired && (loaded.headName === 'seq2seq-lm' || loaded.headName === 'base')) {
    throw new ConfigError(
      `${basename(out)} is one file, and an encoder-decoder becomes two. Give a folder as --out.`,
      { out },
    );
  }
  return { folder: dirname(out), rename: basename(out) };
}

/**
 * Exports the text model of a run that has ended, or a model's own folder.
 * @throws IoError `exists` when something else lies where it is to be written
 */
export async function exportTextRun(
  run: string,
  { to, out: asked, force = false }: ExportOptions,
): Promise<RunExport> {
  const out = resolve(asked);
  const opened = await openTextRun(run);
  const { base, loaded, record, choices } = opened;
  const source = { ...loaded, tokenizer: base.tokenizer };
  const engine = await openEngine({});
  if (to === 'onnx') {
    const { folder, rename } = placeOf(opened, out);
    // The tokenizer's files have the same names everywhere, so those of another model must not be lost either.
    for (const path of [
      rename ? out : join(folder, 'model.onnx'),
      join(folder, 'tokenizer.json'),
    ]) {
      if (!force && (await stat(path).catch(() => null))) {
        throw new IoError('exists', `${path} is there already. Overwrite it with --force.`, {
          path,
        });
      }
    }
    const metadata = {
      task: choices.task,
      ...(record ? { base: choices.base, method: choices.method } : {}),
      ...(base.license ? { license: base.license } : {}),
    };
    const options = { metadata, ...(rename ? { rename } : {}) };
    const files = await exportTextOnnxFiles(folder, engine, source, options);
    const note = 'any ONNX Runtime runs it on the ids that the tokenizer beside it makes of texts';
    return { run, to, out, files, note };
  }
  const card = record ? cardFacts(record) : base.license ? { license: base.license } : {};
  const { folder, files, loaders } = await exportHuggingFaceText(out, engine, source, {
    card,
    force,
    ...(record ? { task: choices.task } : {}),
    ...(loaded.headName === 'base' && loaded.definition.kind !== 'encoder-decoder'
      ? { pooling: base.pooling() }
      : {}),
  });
  const onnx = files.filter((file) => file.endsWith('.onnx'));
  return { run, to, out: folder, files, note: loadersNote(loaders, onnx) };
}
