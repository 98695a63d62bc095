/** What a text base, or the model of a run on texts, is. */
import type { Tokenizer } from '../../data/index.js';
import { groupIndices, problemOf, TEXT_HEADS, type TextHead } from '../../models/index.js';
import type { BaseInfo, TextInfo } from '../bases.js';
import { openTextBase, openTextFolder, type TextBase, tokenLimit } from './base.js';

/** The head that the weights are for; `base` where none is named that is known. */
function headIn({ raw, definition }: TextBase): TextHead {
  const [architecture] = Array.isArray(raw.architectures) ? raw.architectures : [];
  return TEXT_HEADS.find((h) => definition.heads[h]?.architecture === architecture) ?? 'base';
}

/** The kind of pieces that a tokenizer makes, as tokenizer.json calls it. */
function piecesOf(tokenizer: Tokenizer): string {
  const file = tokenizer.files().get('tokenizer.json') ?? '{}';
  const { model } = JSON.parse(file) as { readonly model?: { readonly type?: unknown } };
  return typeof model?.type === 'string' ? model.type : 'unnamed';
}

/**
 * Describes a base by its name, or the model in the folder of a run.
 * @param folder of a run's model; null for a base
 * @param trainedWith most tokens of a run's texts
 * @throws ConfigError or HubError when there is none
 */
export async function describeText(
  name: string,
  folder: string | null,
  trainedWith?: number,
): Promise<Omit<BaseInfo, 'kind' | 'storage' | 'status'> & { readonly path: string }> {
  const base = await (folder === null ? openTextBase(name) : openTextFolder(folder));
  const { definition, config, tokenizer, path } = base;
  const headName = headIn(base);
  const head = definition.heads[headName]!;
  const model = head.build(config);
  const weights = [...model.parameters().values()].filter((p) => p.kind === 'weight');
  const isNumber = headName === 'sequence-classification' && problemOf(config) === 'regression';
  const labels = head.outputs && !isNumber ? config.labels : [];
  const text: TextInfo = {
    head: headName,
    architecture: head.architecture,
    tokens: tokenizer.vocabularySize,
    tokenizer: piecesOf(tokenizer),
    maxTokens: config.maxTokens,
    layers: config.layers,
    width: config.hiddenSize,
  };
  return {
    name,
    modelType: definition.modelType,
    parameters: weights.reduce((n, { tensor }) => n + tensor.size, 0),
    layerGroups: new Set(groupIndices(model).values()).size,
    classes: labels.length,
    firstClasses: labels.slice(0, 10),
    input: `texts, cut at ${trainedWith ?? tokenLimit(base, undefined)} tokens where nothing else is asked for`,
    text,
    paper: definition.source.paper,
    path,
  };
}
