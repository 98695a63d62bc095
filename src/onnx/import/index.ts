/** Turns an ONNX model into a graph of Graft operations. */
import { ConfigError } from '../../errors.js';
import {
  constantOf,
  type DType,
  formatType,
  type HostTensor,
  input,
  type Shape,
  type Tensor,
  toposort,
} from '../../graph/index.js';
import type { Type as TypeProto, ValueInfo } from '../proto/onnx_pb.js';
import { type OnnxModel, readOnnx } from '../read.js';
import { checkedShape, type ExternalReader, requireDTypeNumber } from '../tensor-value.js';
import {
  type ImportedParameter,
  Importer,
  type InitializerInfo,
  requireTensor,
} from './importer.js';
import type { OnnxEvaluator } from './opaque.js';
import { Scope, type Value } from './values.js';

export type { ImportedParameter, InitializerInfo, InitializerUse } from './importer.js';
export type { OnnxEvaluator, Probe } from './opaque.js';
export { knownOps } from './registry.js';

/** How to import a model. */
export interface ImportOptions {
  /**
   * Concrete sizes of inputs whose size the file leaves open, by input name. A sequence is given
   * by the shapes of its elements.
   */
  readonly inputs?: Readonly<Record<string, Shape | readonly Shape[]>>;
  /** Sizes of axes that the file names, e.g. `{ batch: 1, sequence: 128 }`. */
  readonly dims?: Readonly<Record<string, number>>;
  /**
   * Inputs that are fixed while importing instead of being fed: those that decide shapes (a target
   * size, say) must be.
   */
  readonly constants?: Readonly<Record<string, HostTensor>>;
  /**
   * Which weights become named placeholders, so that they can be trained; the others become
   * constants. `true` takes every floating-point weight but running statistics of batch norms and
   * scalars, which exporters write for numbers of the formula (an epsilon, the root of a size).
   * Defaults to none.
   */
  readonly parameters?: boolean | ((info: InitializerInfo) => boolean);
  /** Reads weights kept in files beside the model. */
  readonly external?: ExternalReader;
  /** Evaluates what must be known while importing; the engine provides one. */
  readonly evaluator?: OnnxEvaluator;
}

/** A model as a graph. */
export interface ImportedGraph {
  /** Placeholders by input name; an element of a sequence input `x` is `x.0`, `x.1`, ... */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Results by output name; an element of a sequence output is named in the same way. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Weights that became placeholders, with their values in the file. */
  readonly parameters: Readonly<Record<string, ImportedParameter>>;
  /** Operators without a rule of Graft's own, with how often they occur. */
  readonly opaque: Readonly<Record<string, number>>;
  readonly producer: string;
}

const RUNNING_STATISTICS = new Set([3, 4]);

/** Names come from the file: `constructor` must not find what every object has. */
function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}

function isTrainable({ shape, uses }: InitializerInfo): boolean {
  return (
    shape.length > 0 &&
    !uses.some((u) => u.opType === 'BatchNormalization' && RUNNING_STATISTICS.has(u.index))
  );
}

function inputShape(info: ValueInfo, type: TypeProto, options: ImportOptions): Shape {
  const given = own(options.inputs, info.name) as Shape | undefined;
  const declared = type.value.case === 'tensorType' ? type.value.value.shape?.dim : undefined;
  if (given) {
    if (given.some((d) => !Number.isInteger(d) || d < 0)) {
      throw new ConfigError(
        `import: the sizes given for input '${info.name}' are [${given.join(',')}]; expected a non-negative integer for each axis.`,
        { input: info.name },
      );
    }
    if (declared && declared.length !== given.length) {
      throw new ConfigError(
        `import: input '${info.name}' has ${declared.length} axes, but sizes for ${given.length} were given.`,
        { input: info.name },
      );
    }
    for (const [i, d] of declared?.entries() ?? []) {
      if (
        d.value.case === 'dimValue' &&
        Number(d.value.value) > 0 &&
        Number(d.value.value) !== given[i]
      ) {
        throw new ConfigError(
          `import: axis ${i} of input '${info.name}' has size ${d.value.value} in the file; ${given[i]} was given.`,
          { input: info.name },
        );
      }
    }
    return [...given];
  }
  if (!declared) {
    throw new ConfigError(
      `import: the file does not say the shape of input '${info.name}'. Give it: inputs: { ${JSON.stringify(info.name)}: [...] }.`,
      { input: info.name },
      'onnx-size',
    );
  }
  return checkedShape(
    declared.map((d, i) => {
      if (d.value.case === 'dimValue') return d.value.value;
      const name = d.value.case === 'dimParam' ? d.value.value : '';
      const size = own(options.dims, name);
      if (size === undefined || !Number.isInteger(size) || size < 0) {
        throw new ConfigError(
          `import: axis ${i}${name ? ` ('${name}')` : ''} of input '${info.name}' has no size in the file. Give the sizes: inputs: { ${JSON.stringify(info.name)}: [...] }${name ? ` or dims: { ${JSON.stringify(name)}: ... }` : ''}.`,
          { input: info.name, axis: i, dim: name },
          'onnx-size',
        );
      }
      return BigInt(size);
    }),
    `Input '${info.name}'`,
  );
}

/** Makes the placeholders of one input of the model. */
function makeInput(
  info: ValueInfo,
  type: TypeProto | undefined,
  options: ImportOptions,
  made: Map<string, Tensor>,
): Value {
  const placeholder = (name: string, dtype: DType, shape: Shape): Tensor => {
    const fixed = own(options.constants, name);
    if (fixed) {
      if (fixed.dtype !== dtype) {
        throw new ConfigError(
          `import: input '${name}' is ${dtype}, but the constant given for it is ${formatType(fixed)}.`,
          { input: name },
        );
      }
      return constantOf(fixed);
    }
    const tensor = input(name, dtype, shape);
    made.set(name, tensor);
    return tensor;
  };
  switch (type?.value.case) {
    case 'tensorType': {
      const dtype = requireDTypeNumber(type.value.value.elemType, `Input '${info.name}'`);
      const fixed = own(options.constants, info.name);
      return placeholder(info.name, dtype, fixed ? fixed.shape : inputShape(info, type, options));
    }
    case 'optionalType': {
      const given = own(options.inputs, info.name);
      // An optional input that the caller gives no sizes for is absent.
      if (!given && !own(options.constants, info.name)) return { kind: 'optional', value: null };
      const value = makeInput(info, type.value.value.elemType, options, made);
      return { kind: 'optional', value };
    }
    case 'sequenceType': {
      const element = type.value.value.elemType;
      const shapes = own(options.inputs, info.name);
      if (!shapes || element?.value.case !== 'tensorType') {
        throw new ConfigError(
          `import: input '${info.name}' is a sequence${element?.value.case === 'tensorType' ? '; give the shapes of its elements: inputs: { ... : [[2, 3], [2, 3]] }' : ' of something other than tensors, which Graft cannot feed'}.`,
          { input: info.name },
          'onnx-size',
        );
      }
      const dtype = requireDTypeNumber(element.value.value.elemType, `Input '${info.name}'`);
      const items = (shapes as readonly Shape[]).map((shape, i) =>
        placeholder(`${info.name}.${i}`, dtype, shape),
      );
      return { kind: 'sequence', items };
    }
    default:
      throw new ConfigError(
        `import: input '${info.name}' is neither a tensor nor a sequence of tensors, which is all that Graft can feed.`,
        { input: info.name },
        'onnx-kind',
      );
  }
}

function flatten(name: string, value: Value, into: Map<string, Tensor>): void {
  if ('kind' in value && value.kind === 'sequence') {
    for (const [i, item] of value.items.entries()) flatten(`${name}.${i}`, item, into);
  } else if ('kind' in value && value.kind === 'optional') {
    if (value.value) flatten(name, value.value, into);
  } else {
    into.set(name, requireTensor(value, `Output '${name}'`));
  }
}

/**
 * Imports a model into a graph.
 * @param source the bytes of an `.onnx` file, or what {@link readOnnx} made of them
 * @throws WeightsError when the file is damaged or holds what Graft cannot import; ConfigError when
 *   a size is missing or does not fit
 */
export async function importGraph(
  source: Uint8Array | OnnxModel,
  options: ImportOptions = {},
): Promise<ImportedGraph> {
  const model = source instanceof Uint8Array ? readOnnx(source) : source;
  const { parameters = false } = options;
  const importer = new Importer({
    model,
    external: options.external,
    evaluator: options.evaluator,
    isParameter:
      typeof parameters === 'function' ? parameters : parameters ? isTrainable : () => false,
  });
  const scope = new Scope();
  const initializers = new Set(model.graph.initializer.map((t) => t.name));
  const inputs = new Map<string, Tensor>();
  for (const info of model.graph.input) {
    // Files of IR version 3 list their weights among the inputs too.
    if (!initializers.has(info.name))
      scope.set(info.name, makeInput(info, info.type, options, inputs));
  }
  const unknown = [
    ...Object.keys(options.inputs ?? {}),
    ...Object.keys(options.constants ?? {}).map((name) => name.replace(/\.\d+$/, '')),
  ].find((name) => !model.graph.input.some((v) => v.name === name));
  if (unknown !== undefined) {
    throw new ConfigError(
      `import: the model has no input '${unknown}'; it has ${[...inputs.keys()].map((n) => `'${n}'`).join(', ') || 'none'}.`,
      { input: unknown },
    );
  }
  const values = await importer.graph(model.graph, scope);
  const outputs = new Map<string, Tensor>();
  for (const [i, info] of model.graph.output.entries()) flatten(info.name, values[i]!, outputs);
  const reached = new Set(toposort([...outputs.values()]).flatMap((n) => n.outputs));
  return {
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(outputs),
    parameters: Object.fromEntries(
      [...importer.parameters].filter(([, p]) => reached.has(p.tensor)),
    ),
    opaque: Object.fromEntries(importer.opaqueOps),
    producer: model.producer,
  };
}
