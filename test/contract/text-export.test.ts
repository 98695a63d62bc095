/**
 * Folders of text models, written and read back. With GRAFT_TEXT_EXPORTS=FOLDER they are kept there, with
 * the inputs and the answers beside them, for scripts/golden/check_text_export.py.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  openCheckpointFolder,
  writeSafetensors,
  writeSafetensorsFolder,
} from '../../src/io/index.node.js';
import { configText, loadTextModel, textCheckpointOf } from '../../src/models/index.js';
import {
  buildTextGolden,
  readTextGolden,
  textAnswer,
  textGoldenNames,
} from '../support/text-golden.js';

const kept = process.env.GRAFT_TEXT_EXPORTS;
let root: string;

beforeAll(async () => {
  root = kept ?? (await mkdtemp(path.join(tmpdir(), 'graft-text-')));
});

afterAll(async () => {
  if (!kept) await rm(root, { recursive: true });
});

test.each(textGoldenNames())('%s is written and read back', async (name) => {
  const golden = await readTextGolden(name);
  const { definition, config, model, weights } = await buildTextGolden(golden);
  const { headName } = golden;
  const files = textCheckpointOf({ definition, headName, config, raw: golden.config, weights });
  const folder = path.join(root, name);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), configText(files.config));
  await writeSafetensorsFolder(folder, files.tensors, { metadata: { format: 'pt' } });
  const answers = await textAnswer(model, weights, golden.inputs);
  await writeSafetensors(
    path.join(folder, 'answers'),
    new Map([...Object.entries(golden.inputs), ['answer', answers] as const]),
  );
  const loaded = await loadTextModel(openCheckpointFolder(folder), { head: headName });
  expect(await textAnswer(loaded.model, loaded.weights, golden.inputs)).toEqual(answers);
});
