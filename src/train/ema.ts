/** Exponential moving average of the weights, updated on the device after every step. */
import { type Engine, StatefulProgram, type TrainStep, Variables } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { type HostTensor, input, inputName, type Tensor } from '../graph/index.js';
import { add, mul } from '../ops/index.js';
import type { DeviceTensor } from '../runtime/index.js';

/** A weight and the placeholder of its average. */
interface Averaged {
  readonly path: string;
  readonly tensor: Tensor;
  readonly average: Tensor;
}

/**
 * average = decay average + (1 - decay) weight, for weights and running statistics.
 * @see Polyak and Juditsky, 1992; Izmailov et al., "Averaging weights", 2018
 */
export class WeightAverage {
  private readonly step: TrainStep;
  private readonly variables: Variables;
  private readonly program: StatefulProgram;
  private readonly averaged: readonly Averaged[];

  private constructor(
    step: TrainStep,
    variables: Variables,
    program: StatefulProgram,
    averaged: readonly Averaged[],
  ) {
    this.step = step;
    this.variables = variables;
    this.program = program;
    this.averaged = averaged;
  }

  /** @param weights what moves, by path: its placeholder in `step` and where its average starts */
  static async create(
    engine: Engine,
    step: TrainStep,
    weights: ReadonlyMap<string, { tensor: Tensor; value: HostTensor }>,
    decay: number,
  ): Promise<WeightAverage> {
    const variables = new Variables(engine.runtime);
    const averaged: Averaged[] = [];
    const updates = new Map<Tensor, Tensor>();
    for (const [path, { tensor, value }] of weights) {
      const average = input(`@average:${path}`, tensor.dtype, tensor.shape);
      await variables.create(average, value);
      averaged.push({ path, tensor, average });
      updates.set(average, add(mul(average, decay), mul(tensor, 1 - decay)));
    }
    const program = await StatefulProgram.compile(engine, variables, {}, updates);
    return new WeightAverage(step, variables, program, averaged);
  }

  /** Takes in the weights as they are after a step. */
  async update(): Promise<void> {
    const feeds: Record<string, DeviceTensor> = {};
    for (const { tensor } of this.averaged) {
      feeds[inputName(tensor)!] = this.step.variables.buffer(tensor);
    }
    await this.program.run(feeds);
  }

  /** The averages as feeds for a program that reads weights. */
  feeds(): Record<string, DeviceTensor> {
    return Object.fromEntries(
      this.averaged.map(({ tensor, average }) => [
        inputName(tensor)!,
        this.variables.buffer(average),
      ]),
    );
  }

  /** Copies of all averages, by path. */
  async read(): Promise<Map<string, HostTensor>> {
    const values = new Map<string, HostTensor>();
    for (const { path, average } of this.averaged) {
      values.set(path, await this.variables.read(average));
    }
    return values;
  }

  /**
   * Overwrites the averages, by path.
   * @throws ConfigError, before anything changes, when one is missing
   */
  async write(values: ReadonlyMap<string, HostTensor>): Promise<void> {
    const missing = this.averaged.filter(({ path }) => !values.has(path)).map(({ path }) => path);
    if (missing.length > 0) {
      throw new ConfigError(`The averages of ${missing.join(', ')} are missing.`, { missing });
    }
    for (const { path, average } of this.averaged) {
      await this.variables.write(average, values.get(path)!);
    }
  }

  free(): void {
    this.variables.free();
    this.program.free();
  }
}
