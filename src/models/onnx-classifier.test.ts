/** Classifiers in `.onnx` files as bases, against PyTorch: scripts/golden/onnx_classifiers.py makes them. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  bytes,
  graph,
  info,
  node,
  model as onnxModel,
  tensor,
} from '../../test/support/onnx-models.js';
import { vjp } from '../autodiff/index.js';
import { importOnnx, TrainStep } from '../engine/index.js';
import {
  constantOf,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { Context, checkWeights, initialize, variablesOf } from '../nn/index.js';
import { crossEntropy } from '../ops/index.js';
import { sgd } from '../optim/index.js';
import { groupIndices } from './network.js';
import { onnxClassifier } from './onnx-classifier.js';

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Golden {
  readonly pixels: Stored;
  readonly logits: Stored;
  readonly pooled: Stored;
  readonly dy: Stored;
  readonly grads: Readonly<Record<string, Stored>>;
}

const folder = new URL('../../test/golden/models/', import.meta.url);
const LABELS = ['ant', 'bee', 'cat'];
const CASES = ['gemm', 'folded', 'channels-last', 'fixed-batch', 'conv-head', 'tokens'];

const host = ({ shape, data }: Stored) => hostTensor('float32', shape, data);
const bytesOf = (name: string) => readFileSync(new URL(`onnx-${name}.onnx`, folder));
const goldenOf = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`onnx-${name}.json`, folder), 'utf8'));
const load = async (name: string, options: { cut?: string } = {}) =>
  onnxClassifier(await testEngine(), bytesOf(name), { labels: LABELS, ...options });

type Loaded = Awaited<ReturnType<typeof load>>;

function feedsOf({ model, weights }: Loaded, x: Tensor, pixels: HostTensor) {
  const feeds = new Map<Tensor, HostTensor>([[x, pixels]]);
  for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
  return feeds;
}

async function pooledOf(loaded: Loaded, pixels: HostTensor): Promise<HostTensor> {
  const x = input('pixels', 'float32', pixels.shape);
  const context = new Context({ training: false });
  const y = loaded.model.pool(loaded.model.features(x, context), context);
  const [pooled] = await (await testEngine()).evaluate([y], feedsOf(loaded, x, pixels));
  return pooled!;
}

describe.each(CASES)('%s', (name) => {
  const golden = goldenOf(name);

  test('features are those of PyTorch, whatever the batch', async () => {
    const loaded = await load(name);
    checkWeights(loaded.model, loaded.weights);
    const pixels = host(golden.pixels);
    const pooled = await pooledOf(loaded, pixels);
    expectClose('pooled', pooled, golden.pooled, { rtol: 1e-4, atol: 1e-5 });
    // Batches that the file was never imported for.
    for (const copies of [0.5, 5.5]) {
      const [one] = [pixels.data.slice(0, pixels.data.length / 2) as Float32Array];
      const batch = copies * 2;
      const data = Float32Array.from(
        { length: one.length * batch },
        (_, i) => one[i % one.length]!,
      );
      const many = await pooledOf(
        loaded,
        hostTensor('float32', [batch, ...pixels.shape.slice(1)], data),
      );
      const row = golden.pooled.data.slice(0, golden.pooled.data.length / 2);
      const rows = Array.from({ length: batch }, () => row).flat();
      const want = { shape: [batch, row.length], data: rows };
      expectClose(`pooled of ${batch}`, many, want, { rtol: 1e-4, atol: 1e-5 });
    }
  });

  test('gradients of the weights are those of PyTorch', async () => {
    const loaded = await load(name);
    const { model } = loaded;
    const context = new Context({ training: true });
    const x = input('pixels', 'float32', golden.pixels.shape);
    const y = model.pool(model.features(x, context), context);
    const names = Object.keys(golden.grads);
    expect(names.length).toBeGreaterThan(1);
    const parameters = model.parameters();
    const wrt = names.map((n) => parameters.get(n)!.tensor);
    const grads = vjp([y], [constantOf(host(golden.dy))], wrt);
    const feeds = feedsOf(loaded, x, host(golden.pixels));
    const values = await (await testEngine()).evaluate(grads, feeds);
    for (const [i, n] of names.entries()) {
      expectClose(n, values[i]!, golden.grads[n]!, { rtol: 1e-3, atol: 1e-5 });
    }
  });

  test('with the classifier of the file as head, logits are those of PyTorch', async () => {
    const loaded = await load(name);
    loaded.model.replaceHead(5);
    const engine = await testEngine();
    const batch = golden.pixels.shape[0]!;
    const shape = name === 'channels-last' ? [batch, 16, 16, 3] : golden.pixels.shape;
    const sizes = name === 'fixed-batch' ? {} : { inputs: { images: shape } };
    const all = await importOnnx(engine, bytesOf(name), { ...sizes, parameters: true });
    const head = all.parameters;
    const weight = head['head.weight']!.value;
    const weights = new Map(loaded.weights);
    weights.set('graft_head.weight', { ...weight, shape: weight.shape.slice(0, 2) });
    weights.set('graft_head.bias', head['head.bias']!.value);
    const x = input('pixels', 'float32', golden.pixels.shape);
    const y = loaded.model.forward(x, new Context({ training: false }));
    const feeds = feedsOf({ ...loaded, weights }, x, host(golden.pixels));
    const [logits] = await engine.evaluate([y], feeds);
    // SqueezeNet's classifier stands before a relu and the mean over places; a new one stands behind.
    if (name === 'conv-head') return expect(logits!.shape).toEqual([2, 5]);
    expectClose('logits', logits!, golden.logits, { rtol: 1e-4, atol: 1e-5 });
  });

  test('a step of training lowers the loss, and every weight moves', async () => {
    const loaded = await load(name);
    const engine = await testEngine();
    const { parameters, buffers, constants } = variablesOf(loaded.model, loaded.weights);
    const step = await TrainStep.create(engine, {
      parameters,
      buffers,
      constants,
      optimizer: sgd({ lr: 0.05 }),
      trace: ({ pixels, labels }, key) => {
        const context = new Context({ training: true, key });
        return { loss: crossEntropy(loaded.model.forward(pixels!, context), labels!) };
      },
    });
    const batch = { pixels: host(golden.pixels), labels: hostTensor('int32', [2], [0, 2]) };
    const losses = [];
    for (let i = 0; i < 3; i++) losses.push((await step.step(batch)).loss);
    expect(losses[1]).toBeLessThan(losses[0]!);
    expect(losses[2]).toBeLessThan(losses[1]!);
    for (const { name: path, tensor, value } of parameters) {
      const now = await step.variables.read(tensor);
      expect(toNumbers(now), path).not.toEqual(toNumbers(value));
    }
    step.free();
  });

  test('every weight is in one layer group, and the head in the last', async () => {
    const { model, definition } = await load(name);
    const groups = groupIndices(model);
    expect([...groups.keys()]).toEqual([...model.parameters().keys()]);
    const last = Math.max(...groups.values());
    for (const [path, group] of groups) {
      expect(group === last, path).toBe(definition.roles.head!.test(path));
    }
  });
});

test('the file says where it was cut, and what it is fed is guessed', async () => {
  const { config, preprocess, scheme, untrained, definition } = await load('gemm');
  expect(config).toEqual({ labels: LABELS, channels: 3, cut: '/Flatten_output_0' });
  expect([scheme, untrained]).toEqual(['onnx', ['graft_head.weight', 'graft_head.bias']]);
  expect(preprocess).toMatchObject({ height: 16, width: 16, fit: 'crop', shortSide: 18 });
  expect(preprocess.mean).toEqual([0.485, 0.456, 0.406]);
  expect((await load('channels-last')).preprocess.mean).toEqual([0.5, 0.5, 0.5]);
  const norm = [...(await load('gemm')).weights.keys()].filter((p) =>
    definition.roles.norm!.test(p),
  );
  expect(norm).toEqual([
    'features.stem.1.weight',
    'features.stem.1.bias',
    'features.block.1.weight',
    'features.block.1.bias',
  ]);
});

test('the last map is the one before pooling', async () => {
  for (const name of ['gemm', 'channels-last', 'conv-head']) {
    const { model } = await load(name);
    const x = input('pixels', 'float32', [4, 3, 16, 16]);
    expect(model.features(x, new Context({ training: false })).shape, name).toEqual([4, 6, 4, 4]);
  }
});

test('running statistics are constants, and no weight of the old classifier is left', async () => {
  const paths = [...(await load('gemm')).weights.keys()];
  expect(paths.filter((p) => /running_|^head/.test(p))).toEqual([]);
  expect(paths).toContain('features.stem.1.weight');
});

test('training from random weights starts from weights of the right scale', async () => {
  const { model, weights } = await load('gemm');
  const start = initialize(model, 1);
  const values = (path: string) => toNumbers(start.get(path)!);
  expect(new Set(values('features.stem.1.weight'))).toEqual(new Set([1]));
  expect(new Set(values('features.stem.1.bias'))).toEqual(new Set([0]));
  expect(new Set(values('features.last.bias'))).toEqual(new Set([0]));
  const conv = values('features.stem.0.weight');
  const deviation = Math.sqrt(conv.reduce((sum, v) => sum + v * v, 0) / conv.length);
  expect(deviation).toBeGreaterThan(0.7 * Math.sqrt(2 / 27));
  expect(deviation).toBeLessThan(1.3 * Math.sqrt(2 / 27));
  expect(conv).not.toEqual(toNumbers(weights.get('features.stem.0.weight')!));
});

describe('--cut', () => {
  test('takes a map in the middle, which is averaged over its places', async () => {
    const loaded = await load('gemm', { cut: '/features/pool/MaxPool_output_0' });
    const weights = [...loaded.weights.keys()].filter((p) => p.startsWith('features.'));
    expect(weights).toEqual([
      'features.stem.0.weight',
      'features.stem.1.weight',
      'features.stem.1.bias',
    ]);
    const pooled = await pooledOf(loaded, host(goldenOf('gemm').pixels));
    expect(pooled.shape).toEqual([2, 4]);
  });

  test('takes the tokens of a transformer, which are averaged', async () => {
    const loaded = await load('tokens', { cut: '/norm2/LayerNormalization_output_0' });
    const pooled = await pooledOf(loaded, host(goldenOf('tokens').pixels));
    expect(pooled.shape).toEqual([2, 8]);
  });

  test('offers near names for one that is not there', async () => {
    await expect(load('gemm', { cut: '/features/pool/MaxPol_output_0' })).rejects.toThrow(
      /no value '\/features\/pool\/MaxPol_output_0'.*'\/features\/pool\/MaxPool_output_0'/,
    );
    await expect(load('gemm', { cut: 'head.weight' })).rejects.toThrow(/no value 'head.weight'/);
  });
});

const speech = new URL(
  '../../../shared/data/weights/google_speech_embedding/embedding_model.onnx',
  import.meta.url,
);

describe.skipIf(!existsSync(speech))('a network of TensorFlow without classifier', () => {
  const bytesOfSpeech = () => readFileSync(fileURLToPath(speech));

  test('asks for a cut', async () => {
    const loading = onnxClassifier(await testEngine(), bytesOfSpeech(), { labels: LABELS });
    await expect(loading).rejects.toThrow(/No classifier was found.*--cut.*'conv2d_19'/);
  });

  test('is a trunk, channels last, with what the importer gives for each batch', async () => {
    const engine = await testEngine();
    const options = { labels: LABELS, cut: 'conv2d_19' };
    const loaded = await onnxClassifier(engine, bytesOfSpeech(), options);
    expect(loaded.config.channels).toBe(1);
    const data = Float32Array.from({ length: 3 * 76 * 32 }, (_, i) => Math.sin(i));
    const pooled = await pooledOf(loaded, hostTensor('float32', [3, 1, 76, 32], data));
    expect(pooled.shape).toEqual([3, 96]);
    const whole = await importOnnx(engine, bytesOfSpeech(), {
      inputs: { input_1: [3, 76, 32, 1] },
    });
    const feeds = new Map([[whole.inputs.input_1!, hostTensor('float32', [3, 76, 32, 1], data)]]);
    const [want] = await engine.evaluate([whole.outputs.conv2d_19!], feeds);
    const rows = { shape: [3, 96], data: toNumbers(want!) };
    expectClose('embedding', pooled, rows, { rtol: 1e-4, atol: 1e-4 });
    expect(loaded.weights.size).toBeGreaterThan(30);
  });
});

/** A classifier made by hand: `nodes` take `x` [n, 3, 4, 4] to `features`. */
function small(
  nodes: readonly ReturnType<typeof node>[],
  {
    weights = {},
    inputs = [info('x', 'float32', ['n', 3, 4, 4])],
    tail = [node('Gemm', ['features', 'fc'], ['y'])],
    rows = 3,
  }: {
    weights?: Readonly<Record<string, HostTensor>>;
    inputs?: ReturnType<typeof info>[];
    tail?: readonly ReturnType<typeof node>[];
    rows?: number;
  } = {},
) {
  const fc = hostTensor('float32', [rows, 2], new Array<number>(rows * 2).fill(0.5));
  return bytes(
    onnxModel(
      graph({
        input: inputs,
        output: [info('y')],
        node: [...nodes, ...tail],
        initializer: Object.entries({ fc, ...weights }).map(([k, v]) => tensor(k, v)),
      }),
    ),
  );
}

const pooling = [
  node('GlobalAveragePool', ['h'], ['g']),
  node('Flatten', ['g'], ['features']),
] as const;
const one = (values: readonly number[], shape: readonly number[] = [1, values.length, 1, 1]) =>
  hostTensor('float32', shape, values);
const conv = hostTensor('float32', [3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1]);

async function loadSmall(file: Uint8Array, options: { cut?: string; size?: number } = {}) {
  return onnxClassifier(await testEngine(), file, { labels: LABELS, ...options });
}

describe('files of other makers', () => {
  test('dropout, bias, temperature and softmax lie behind the cut', async () => {
    const tail = [
      node('Dropout', ['features'], ['d']),
      node('MatMul', ['d', 'fc'], ['m']),
      node('Add', ['bias', 'm'], ['b']),
      node('Div', ['b', 'temperature'], ['t']),
      node('Softmax', ['t'], ['y']),
    ];
    const weights = { conv, bias: one([1, 2], [2]), temperature: one([3], []) };
    const file = small([node('Conv', ['x', 'conv'], ['h']), ...pooling], { weights, tail });
    const { config, weights: kept } = await loadSmall(file);
    expect(config.cut).toBe('features');
    expect([...kept.keys()]).toEqual(['conv', 'graft_head.weight', 'graft_head.bias']);
  });

  test('what lies behind the cut may be unknown to us', async () => {
    const tail = [
      node('Gemm', ['features', 'fc'], ['y']),
      node('NoSuchOperator', ['y'], ['label'], {}, { domain: 'ai.onnx.ml' }),
    ];
    const file = small([node('Conv', ['x', 'conv'], ['h']), ...pooling], {
      weights: { conv },
      tail,
    });
    expect((await loadSmall(file)).config.cut).toBe('features');
  });

  test('weights written as constant nodes are trained too', async () => {
    const nodes = [
      node('Constant', [], ['kernel'], { value: { t: conv } }),
      node('Conv', ['x', 'kernel'], ['h']),
      ...pooling,
    ];
    expect([...(await loadSmall(small(nodes))).weights.keys()]).toContain('kernel');
  });

  test.each([
    ['0 to 1', [0.5, 0.4, 0.3], 1 / 255],
    ['0 to 255', [127.5, 127.5, 127.5], 1],
  ] as const)(
    'a network that normalises by itself gets pixels from %s',
    async (_, means, rescale) => {
      const nodes = [
        node('Sub', ['x', 'means'], ['s']),
        node('Conv', ['s', 'conv'], ['h']),
        ...pooling,
      ];
      const { preprocess, weights } = await loadSmall(
        small(nodes, { weights: { conv, means: one(means) } }),
      );
      expect(preprocess).toMatchObject({ mean: [0, 0, 0], deviation: [1, 1, 1], rescale });
      expect(weights.has('means')).toBe(false);
    },
  );

  test('the size of pictures may be left open', async () => {
    const inputs = [info('x', 'float32', [null, 3, 'h', 'w'])];
    const file = small([node('Conv', ['x', 'conv'], ['h']), ...pooling], {
      weights: { conv },
      inputs,
    });
    expect((await loadSmall(file)).preprocess.height).toBe(224);
    const { model, preprocess } = await loadSmall(file, { size: 8 });
    expect([preprocess.height, preprocess.width]).toEqual([8, 8]);
    const x = input('pixels', 'float32', [2, 3, 9, 9]);
    expect(() => model.features(x, new Context({ training: false }))).toThrow(/\[batch, 3, 8, 8\]/);
  });
});

describe('is refused:', () => {
  const plain = [node('Conv', ['x', 'conv'], ['h']), ...pooling];
  const refused: [string, Uint8Array, RegExp][] = [
    [
      'a file with two inputs',
      small(plain, {
        weights: { conv },
        inputs: [info('x', 'float32', ['n', 3, 4, 4]), info('z', 'float32', [1])],
      }),
      /inputs 'x', 'z'/,
    ],
    [
      'a file that takes no pictures',
      small([node('Flatten', ['x'], ['features'])], { inputs: [info('x', 'float32', ['n', 3])] }),
      /with 2 axes/,
    ],
    [
      'a file of bytes',
      small(plain, { weights: { conv }, inputs: [info('x', 'uint8', ['n', 3, 4, 4])] }),
      /element type number 2/,
    ],
    [
      'a batch norm in training mode',
      small(
        [
          node('BatchNormalization', ['x', 'a', 'b', 'a', 'b'], ['h'], { training_mode: 1 }),
          ...pooling,
        ],
        { weights: { a: one([1, 1, 1], [3]), b: one([1, 1, 1], [3]) } },
      ),
      /training mode/,
    ],
    [
      'a batch that mixes its samples',
      small(
        [
          node('ReduceMean', ['x'], ['m'], { axes: [0] }),
          node('Sub', ['x', 'm'], ['h']),
          ...pooling,
        ],
        { inputs: [info('x', 'float32', [1, 3, 4, 4])] },
      ),
      /one changes what another gives/,
    ],
    [
      'a fixed batch that the graph is built around',
      small(
        [
          node('Reshape', ['x', 'shape'], ['r']),
          node('Concat', ['r', 'token'], ['c'], { axis: 0 }),
          node('ReduceMean', ['c'], ['f'], { axes: [1], keepdims: 0 }),
          node('Unsqueeze', ['f', 'zero'], ['features']),
        ],
        {
          inputs: [info('x', 'float32', [1, 3, 4, 4])],
          weights: {
            shape: hostTensor('int64', [2], [16, 3]),
            token: one([1, 2, 3], [1, 3]),
            zero: hostTensor('int64', [1], [0]),
          },
          rows: 17,
        },
      ),
      /written for a batch of 1/,
    ],
  ];
  test.each(refused)('%s', async (_, file, message) => {
    await expect(loadSmall(file)).rejects.toThrow(message);
  });

  test('a cut at a vector', async () => {
    const nodes = [
      node('ReduceSum', ['h'], ['sum'], { keepdims: 0 }),
      ...plain.slice(0, 1),
      ...pooling,
    ];
    const file = small(nodes, {
      weights: { conv },
      tail: [node('Gemm', ['features', 'fc'], ['m']), node('Add', ['m', 'sum'], ['y'])],
    });
    await expect(loadSmall(file, { cut: 'sum' })).rejects.toThrow(/Features must have 2 axes/);
    await expect(loadSmall(file)).rejects.toThrow(/'Add:y' has several inputs.*--cut/);
  });

  test('a weight that goes by the name of the new head', async () => {
    const nodes = [node('Conv', ['x', 'graft_head.kernel'], ['h']), ...pooling];
    const file = small(nodes, { weights: { 'graft_head.kernel': conv } });
    await expect(loadSmall(file)).rejects.toThrow(/'graft_head.kernel'/);
  });
});
