/** Where the trunk of an `.onnx` classifier ends: the tensor that its classifier reads. */
import { ConfigError } from '../errors.js';
import type { OnnxModel } from '../onnx/index.js';
import { nearest } from '../util/index.js';

type OnnxNodeProto = OnnxModel['graph']['node'][number];

/** Operators between a classifier and the end of a file, by which no class comes or goes. */
const AFTER = new Set([
  'AveragePool',
  'Cast',
  'Flatten',
  'GlobalAveragePool',
  'Identity',
  'LogSoftmax',
  'ReduceMean',
  'Relu',
  'Reshape',
  'Sigmoid',
  'Softmax',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);
/** The same with one operand that is a weight: biases, temperatures. */
const AFFINE = new Set(['Add', 'Div', 'Mul', 'Sub']);
/** Operators between the last feature map and what the classifier reads. */
const POOLING = new Set([
  'AveragePool',
  'Cast',
  'Dropout',
  'Flatten',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'ReduceMax',
  'ReduceMean',
  'Reshape',
  'Squeeze',
  'Transpose',
]);
/** Names offered for one that is not there. */
const OFFERED = 5;
/** Most names that a misspelt one is compared with. */
const MAX_COMPARED = 5000;

/** Who makes the values of a graph, and which of them depend on the picture. */
class Values {
  readonly makers = new Map<string, OnnxNodeProto>();
  private readonly fromPicture = new Set<string>();

  constructor({ graph }: OnnxModel, picture: string) {
    const readers = new Map<string, OnnxNodeProto[]>();
    for (const node of graph.node) {
      for (const name of node.output) this.makers.set(name, node);
      for (const name of node.input) {
        const list = readers.get(name);
        if (list) list.push(node);
        else readers.set(name, [node]);
      }
    }
    const waiting = [picture];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (name === '' || this.fromPicture.has(name)) continue;
      this.fromPicture.add(name);
      waiting.push(...(readers.get(name) ?? []).flatMap((node) => node.output));
    }
  }

  /** The only input of a node that depends on the picture; undefined when there are several. */
  data(node: OnnxNodeProto): string | undefined {
    const names = node.input.filter((name) => this.fromPicture.has(name));
    return names.length === 1 ? names[0] : undefined;
  }

  /** Values that depend on the picture, in the order of the file. */
  get names(): string[] {
    return [...this.makers.keys()].filter((name) => this.fromPicture.has(name));
  }
}

function describe(node: OnnxNodeProto): string {
  return node.name ? `${node.opType} '${node.name}'` : node.opType;
}

/** True for a convolution that looks at one place at a time. */
function isPointwise(node: OnnxNodeProto): boolean {
  const ints = (name: string) => node.attribute.find((a) => a.name === name)?.ints ?? [];
  const groups = node.attribute.find((a) => a.name === 'group')?.i ?? 1n;
  const kernel = ints('kernel_shape');
  return kernel.length > 0 && kernel.every((k) => k === 1n) && groups === 1n;
}

/** What the classifier above `output` reads, or why there is none to be found. */
function beforeClassifier(
  values: Values,
  output: string,
): { readonly cut: string } | { readonly stopped: string } {
  let name = output;
  for (;;) {
    const node = values.makers.get(name);
    if (!node) return { stopped: `'${output}' has no classifier above it` };
    const data = values.data(node);
    const { opType } = node;
    if (data === undefined) return { stopped: `${describe(node)} has several inputs` };
    if (opType === 'Gemm' || opType === 'MatMul' || (opType === 'Conv' && isPointwise(node))) {
      // The weights must be the second operand, or rows would be mixed and not classes.
      if (node.input[0] === data) return { cut: data };
      return { stopped: `${describe(node)} has its weights on the left` };
    }
    if (!AFTER.has(opType) && !AFFINE.has(opType)) {
      return { stopped: `${describe(node)} is no part of a classifier` };
    }
    name = data;
  }
}

/** Skips what does nothing when the network is used. */
function belowDropout(values: Values, cut: string): string {
  let name = cut;
  for (;;) {
    const node = values.makers.get(name);
    if (!node || (node.opType !== 'Dropout' && node.opType !== 'Identity')) return name;
    name = node.input[0]!;
  }
}

/** A cut, and the values from there down that may be the last feature map. */
export interface OnnxCut {
  readonly cut: string;
  /** From the cut towards the picture; the cut itself is the first. */
  readonly maps: readonly string[];
}

function offered(name: string, names: readonly string[]): string {
  const lower = name.toLowerCase();
  const found = names.filter((n) => n.toLowerCase().includes(lower)).slice(0, OFFERED);
  let rest = names.filter((n) => !found.includes(n)).slice(-MAX_COMPARED);
  while (found.length < OFFERED && rest.length > 0) {
    const next = nearest(name, rest);
    found.push(next);
    rest = rest.filter((n) => n !== next);
  }
  return found.map((n) => `'${n}'`).join(', ');
}

/**
 * Finds where to cut: back from the end past softmax, pooling and biases to the last matrix product
 * or 1x1 convolution, and past dropout to what it reads.
 * @param picture name of the input that takes pictures
 * @param wanted name of a value to cut at instead
 * @throws ConfigError when there is no classifier, or no value of the name that is wanted
 */
export function findCut(model: OnnxModel, picture: string, wanted?: string): OnnxCut {
  const values = new Values(model, picture);
  let cut = wanted;
  if (cut === undefined) {
    const reasons: string[] = [];
    for (const { name } of model.graph.output) {
      const found = beforeClassifier(values, name);
      if ('cut' in found) {
        cut = belowDropout(values, found.cut);
        break;
      }
      reasons.push(found.stopped);
    }
    if (cut === undefined) {
      throw new ConfigError(
        `No classifier was found at the end of the ONNX file: ${reasons.join('; ')}. Say which value holds the features with --cut NAME; the last are ${values.names
          .slice(-OFFERED)
          .map((n) => `'${n}'`)
          .join(', ')}.`,
        { reasons },
        'onnx-cut',
      );
    }
  } else if (!values.names.includes(cut)) {
    throw new ConfigError(
      `The ONNX file has no value '${cut}' that depends on the picture. Near it: ${offered(cut, values.names)}.`,
      { cut },
      'onnx-cut',
    );
  }
  const maps = [cut];
  for (let node = values.makers.get(cut); node && POOLING.has(node.opType); ) {
    const data = values.data(node);
    if (data === undefined || data === picture) break;
    maps.push(data);
    node = values.makers.get(data);
  }
  return { cut, maps };
}
