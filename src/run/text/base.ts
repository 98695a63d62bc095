/** From the name of a base to a text model with a head, its tokenizer and how long texts may be. */
import { join } from 'node:path';
import { loadTokenizer, type Tokenizer } from '../../data/index.js';
import { ConfigError } from '../../errors.js';
import {
  type CheckpointFolder,
  type HubProgress,
  openCheckpointFolder,
  resolveBase,
} from '../../io/index.node.js';
import {
  type LoadedTextModel,
  type LoadTextOptions,
  loadTextDefinition,
  loadTextModel,
  type RawConfig,
  type TextConfig,
  type TextModelDefinition,
} from '../../models/index.js';
import { type Pooling, poolingOf, readPoolingModules } from '../../tasks/index.js';
import { embeddedBases, licenseAt, refuseRun } from '../base.js';
import { withAddedRows } from './added-tokens.js';

/** A base as it was found, before a head is chosen. */
export interface TextBase {
  /** Absolute path of its folder. */
  readonly path: string;
  readonly files: CheckpointFolder;
  readonly definition: TextModelDefinition;
  readonly config: TextConfig;
  readonly raw: RawConfig;
  readonly tokenizer: Tokenizer;
  /** Where tokens were added: for each its row in the tables of the files, as `resizeVocabulary` takes it. */
  readonly rowOf?: Int32Array;
  /** Licence that its card names, as the hub writes it. */
  readonly license?: string;
  /**
   * How it makes embeddings of texts, as its `modules.json` says.
   * @throws ConfigError `pooling` where that is done in a way that is not known here
   */
  readonly pooling: () => Pooling;
}

/**
 * Opens a model's folder.
 * @throws ConfigError when its architecture is unknown, or its tokenizer does not fit
 */
export async function openTextFolder(path: string): Promise<TextBase> {
  const files = openCheckpointFolder(path);
  const raw = await files.json('config.json');
  if (typeof raw?.model_type !== 'string') {
    await refuseRun(path);
    throw new ConfigError(
      `${path} is no text model: ${raw ? 'its config.json has no model_type' : 'it has no config.json'}.`,
      { path },
      'unknown-architecture',
    );
  }
  const definition = await loadTextDefinition(raw.model_type);
  const config = definition.parse(raw);
  const tokenizer = await loadTokenizer(files).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`${path}: ${error.message}`, { ...error.data, path }, error.code);
  });
  if (tokenizer.vocabularySize > config.vocabularySize) {
    throw new ConfigError(
      `${path}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model rows for ${config.vocabularySize}. They are not of one model; put the right tokenizer beside it.`,
      { path, tokens: tokenizer.vocabularySize, rows: config.vocabularySize },
      'tokenizer-mismatch',
    );
  }
  const modules = await readPoolingModules((file, folder) =>
    folder === undefined
      ? files.text(file)
      : openCheckpointFolder(join(path, folder))
          .text(file)
          .catch(() => null),
  );
  const pooling = () => poolingOf(modules, path);
  return { path, files, definition, config, raw, tokenizer, pooling, ...(await licenseAt(path)) };
}

/**
 * Finds a base by its name.
 * @throws ConfigError, WeightsError or HubError when there is none
 */
export async function openTextBase(
  base: string,
  onProgress?: (progress: HubProgress) => void,
): Promise<TextBase> {
  const { kind, path } = await resolveBase(base, {
    embedded: await embeddedBases(),
    ...(onProgress ? { onProgress } : {}),
  });
  if (kind === 'onnx') {
    throw new ConfigError(
      `${base} is an ONNX file; bases of text are folders in Hugging Face's layout, with their tokenizer.`,
      { base },
    );
  }
  return openTextFolder(path);
}

/** Tokens that texts are cut to where nothing else is asked for: long enough for a paragraph. */
const DEFAULT_TOKENS = 256;

/**
 * The most tokens of a text.
 * @throws ConfigError when more are asked for than the base has positions for
 */
export function tokenLimit({ config, tokenizer }: TextBase, asked: number | undefined): number {
  const most = Math.min(
    config.maxTokens ?? Number.POSITIVE_INFINITY,
    tokenizer.maxLength ?? Number.POSITIVE_INFINITY,
  );
  if (asked === undefined) return Math.min(most, DEFAULT_TOKENS);
  if (asked <= (config.maxTokens ?? asked)) return asked;
  throw new ConfigError(
    `maxLength ${asked} is more than the ${config.maxTokens} positions that the base has.`,
    { maxLength: asked, positions: config.maxTokens },
  );
}

/** Loads the weights of a base under a head. */
export async function loadHead(base: TextBase, options: LoadTextOptions): Promise<LoadedTextModel> {
  return withAddedRows(await loadTextModel(base.files, options), base);
}
