import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HubError } from '../errors.js';
import { blobName, choose, modelFiles, parseHubFile } from './hub-file.js';

const SHA1 = 'a'.repeat(40);
const SHA256 = 'b'.repeat(64);

describe('an entry of the tree', () => {
  test('of a small file is named by git, of a large one by its SHA-256', () => {
    const small = parseHubFile({ path: 'a', size: 3, oid: SHA1 });
    expect(small).toEqual({ path: 'a', size: 3, oid: SHA1 });
    expect(blobName(small)).toBe(SHA1);
    const large = parseHubFile({ path: 'a', size: 130, oid: SHA1, lfs: { oid: SHA256, size: 9 } });
    expect(large).toEqual({ path: 'a', size: 9, oid: SHA1, sha256: SHA256 });
    expect(blobName(large)).toBe(SHA256);
  });

  test('is taken only if its digests can be names of files', () => {
    const anything = fc.record(
      {
        path: fc.oneof(fc.string(), fc.anything()),
        size: fc.oneof(fc.integer(), fc.double(), fc.anything()),
        oid: fc.oneof(fc.constant(SHA1), fc.constant('../x'), fc.anything()),
        lfs: fc.oneof(
          fc.constant(undefined),
          fc.anything(),
          fc.record({ oid: fc.oneof(fc.constant(SHA256), fc.string()), size: fc.integer() }),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(anything, (raw) => {
        let file: ReturnType<typeof parseHubFile>;
        try {
          file = parseHubFile(raw);
        } catch (error) {
          expect(error).toBeInstanceOf(HubError);
          return;
        }
        expect(blobName(file)).toMatch(/^([0-9a-f]{40}|[0-9a-f]{64})$/);
        expect(file.size).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('patterns', () => {
  const paths = ['config.json', 'a/config.json', 'a/b/c.txt', 'x[1].bin', 'model.safetensors'];
  test.each([
    [['config.json'], ['config.json']],
    [['*.json'], ['config.json', 'a/config.json']],
    [['a/'], ['a/config.json', 'a/b/c.txt']],
    [['a/**/c.txt'], ['a/b/c.txt']],
    [['mode?.safetensors'], ['model.safetensors']],
    [['x[1].bin'], ['x[1].bin']],
    [['CONFIG.json', 'onfig.json'], []],
    [['*.bin', 'x*'], ['x[1].bin']],
  ])('%j', (patterns, expected) => {
    expect(choose(patterns, paths)).toEqual(expected);
  });

  test('a function cannot pick what is not there', () => {
    expect(choose((all) => [all[0]!, all[0]!, '../secret'], paths)).toEqual(['config.json']);
  });
});

describe('files of a model', () => {
  test.each([
    [
      'one format, and what is small',
      [
        'README.md',
        'LICENSE',
        'config.json',
        'model.safetensors',
        'pytorch_model.bin',
        'tf_model.h5',
      ],
      ['README.md', 'LICENSE', 'config.json', 'model.safetensors'],
    ],
    [
      'shards with their index',
      [
        'config.json',
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
        'model.safetensors.index.json',
        'pytorch_model.bin.index.json',
        'pytorch_model-00001-of-00001.bin',
      ],
      [
        'config.json',
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
        'model.safetensors.index.json',
      ],
    ],
    [
      'an index alone is no weights',
      ['config.json', 'model.safetensors.index.json', 'pytorch_model.bin'],
      ['config.json', 'pytorch_model.bin'],
    ],
    ['no state of a trainer', ['optimizer.pt', 'net.pth', 'training_args.bin'], ['net.pth']],
    ['Keras', ['tokenizer.json', 'net.keras', 'a/net.h5'], ['tokenizer.json', 'net.keras']],
    [
      'models of SentencePiece',
      ['config.json', 'pytorch_model.bin', 'source.spm', 'target.spm', 'vocab.json', 'tf_model.h5'],
      ['config.json', 'pytorch_model.bin', 'source.spm', 'target.spm', 'vocab.json'],
    ],
    [
      'how tokens are pooled',
      [
        'config.json',
        'modules.json',
        '1_Pooling/config.json',
        '2_Dense/config.json',
        'a/1_Pooling/config.json',
      ],
      ['config.json', 'modules.json', '1_Pooling/config.json'],
    ],
    ['nothing in folders', ['onnx/model.onnx', 'config.json'], ['config.json']],
  ])('%s', (_, paths, expected) => {
    expect(modelFiles(paths)).toEqual(expected);
  });
});
