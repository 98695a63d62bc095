/** tokenizer.json for repositories that hold only vocab.txt, or vocab.json and merges.txt. */
import { flagField, type JsonObject, objectField, shown, tokenizerFault } from './fields.js';

/** A token that is found in texts as it stands. */
export function addedToken(id: number, content: string, lstrip = false): JsonObject {
  return {
    id,
    content,
    single_word: false,
    lstrip,
    rstrip: false,
    normalized: false,
    special: true,
  };
}

/** `{ type_id, id }` of a template. */
const special = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } });
const text = (id: 'A' | 'B', type_id = 0) => ({ Sequence: { id, type_id } });

/** A TemplateProcessing of `[CLS] A [SEP]` kind; names in `[]` must be in `ids`. */
export function templateProcessing(
  single: readonly (string | readonly ['A' | 'B', number])[],
  pair: readonly (string | readonly ['A' | 'B', number])[],
  ids: Readonly<Record<string, number>>,
  lastType = 0,
): JsonObject {
  const parts = (list: typeof single) =>
    list.map((part, i) =>
      typeof part === 'string'
        ? special(part, list === pair && i === list.length - 1 ? lastType : 0)
        : text(...part),
    );
  return {
    type: 'TemplateProcessing',
    single: parts(single),
    pair: parts(pair),
    special_tokens: Object.fromEntries(
      Object.entries(ids).map(([token, id]) => [token, { id: token, ids: [id], tokens: [token] }]),
    ),
  };
}

const shell = { version: '1.0', truncation: null, padding: null } as const;

/** What the keys `cls_token` and so on of a tokenizer_config.json name; else the usual name. */
export function namedToken(config: JsonObject, key: string, usual: string): string {
  const given = config[key];
  if (typeof given === 'string') return given;
  const content = (given as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : usual;
}

function idIn(vocab: ReadonlyMap<string, number>, token: string, file: string): number {
  const id = vocab.get(token);
  if (id === undefined) {
    throw tokenizerFault(file, `lacks ${shown(token)}, which this kind of tokenizer needs.`);
  }
  return id;
}

/**
 * BERT's WordPiece from vocab.txt, one token a line.
 * @param config tokenizer_config.json: `do_lower_case`, `strip_accents`, `tokenize_chinese_chars`
 * @throws WeightsError when a token stands there twice or a special one is missing
 */
export function fromVocabText(vocabText: string, config: JsonObject = {}): JsonObject {
  const lines = vocabText.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  const vocab = new Map<string, number>();
  lines.forEach((token, id) => {
    // Several published files hold a line twice; the last one counts in their own tokenizers.
    vocab.set(token, id);
  });
  const names = (
    [
      ['pad_token', '[PAD]'],
      ['unk_token', '[UNK]'],
      ['cls_token', '[CLS]'],
      ['sep_token', '[SEP]'],
      ['mask_token', '[MASK]'],
    ] as const
  ).map(([key, usual]) => namedToken(config, key, usual));
  const [, unknown, cls, sep] = names as [string, string, string, string, string];
  const ids = Object.fromEntries(
    [cls, sep].map((token) => [token, idIn(vocab, token, 'vocab.txt')]),
  );
  idIn(vocab, unknown, 'vocab.txt');
  return {
    ...shell,
    added_tokens: names
      .filter((token) => vocab.has(token))
      .map((token) => addedToken(vocab.get(token)!, token))
      .sort((a, b) => (a.id as number) - (b.id as number)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flagField(
        config.tokenize_chinese_chars,
        'tokenizer_config.json: tokenize_chinese_chars',
        true,
      ),
      strip_accents: config.strip_accents ?? null,
      lowercase: flagField(config.do_lower_case, 'tokenizer_config.json: do_lower_case', true),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: templateProcessing(
      [cls, ['A', 0], sep],
      [cls, ['A', 0], sep, ['B', 1], sep],
      ids,
      1,
    ),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab),
    },
  };
}

/** The merges of merges.txt: a pair of tokens a line, after an optional comment. */
export function readMergesText(mergesText: string): [string, string][] {
  const merges: [string, string][] = [];
  mergesText.split('\n').forEach((raw, i) => {
    const line = raw.replace(/\r$/, '');
    if (line === '' || line.startsWith('#version')) return;
    const pair = line.split(' ');
    if (pair.length !== 2) {
      throw tokenizerFault(
        'merges.txt',
        `has ${shown(line)} in line ${i + 1}; expected two tokens.`,
      );
    }
    merges.push(pair as [string, string]);
  });
  return merges;
}

// The pattern of Qwen2: words, digits one by one, punctuation, line breaks.
const QWEN2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Which models stand texts between `<s>` and `</s>` as RoBERTa does. */
const LIKE_ROBERTA = /roberta|bart|longformer|led\b|blenderbot/i;

/**
 * Byte-level BPE from vocab.json and merges.txt: with RoBERTa's special tokens for RoBERTa, BART and
 * their kin; with Qwen's pattern for Qwen2; else as GPT-2, which adds none.
 * @param config tokenizer_config.json
 * @param kind `tokenizer_class` or `model_type`, whichever is known
 * @throws WeightsError when a line or a token is missing or wrong
 */
export function fromVocabAndMerges(
  vocabulary: unknown,
  mergesText: string,
  config: JsonObject = {},
  kind = '',
): JsonObject {
  const vocabObject = objectField(vocabulary, 'vocab.json');
  const vocab = new Map(Object.entries(vocabObject) as [string, number][]);
  const roberta = LIKE_ROBERTA.test(kind);
  const addPrefixSpace = flagField(
    config.add_prefix_space,
    'tokenizer_config.json: add_prefix_space',
    false,
  );
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: addPrefixSpace,
    trim_offsets: true,
    use_regex: true,
  };
  const qwen = /^qwen[23]/i.test(kind);
  const names = roberta
    ? (
        [
          ['bos_token', '<s>'],
          ['pad_token', '<pad>'],
          ['eos_token', '</s>'],
          ['unk_token', '<unk>'],
          ['mask_token', '<mask>'],
        ] as const
      ).map(([key, usual]) => [key, namedToken(config, key, usual)] as const)
    : ([['eos_token', namedToken(config, 'eos_token', '<|endoftext|>')]] as const);
  const name = (key: string) => names.find(([k]) => k === key)![1];
  const pairOf = (token: string) => [token, idIn(vocab, token, 'vocab.json')] as const;
  return {
    ...shell,
    added_tokens: names
      .filter(([, token]) => vocab.has(token))
      // RoBERTa's mask takes the space before it, so that it stands for a word with its space.
      .map(([key, token]) => addedToken(vocab.get(token)!, token, key === 'mask_token'))
      .sort((a, b) => (a.id as number) - (b.id as number)),
    normalizer: qwen ? { type: 'NFC' } : null,
    pre_tokenizer: qwen
      ? {
          type: 'Sequence',
          pretokenizers: [
            { type: 'Split', pattern: { Regex: QWEN2 }, behavior: 'Isolated', invert: false },
            { ...byteLevel, add_prefix_space: false, trim_offsets: false, use_regex: false },
          ],
        }
      : byteLevel,
    post_processor: roberta
      ? {
          type: 'RobertaProcessing',
          sep: pairOf(name('eos_token')),
          cls: pairOf(name('bos_token')),
          trim_offsets: true,
          add_prefix_space: addPrefixSpace,
        }
      : { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabObject,
      merges: readMergesText(mergesText),
    },
  };
}
