/** The keyed dropout of Graft beside ONNX Runtime's own Dropout, on the same activations. */
import {
  constant,
  createEngine,
  defineOp,
  dropout,
  foldIn,
  hostTensor,
  input,
  noGrad,
  type Tensor,
} from '../src/index.js';
import { makeKey } from '../src/util/index.js';
import { randomTensor } from './random.js';

const SHAPE = [768, 1024];
const RATE = 0.1;
const ROUNDS = 60;

/** ONNX Runtime's operator in training mode; its seed is fixed when the session is made. */
const ortDropout = defineOp<undefined>({
  name: 'ortDropout',
  infer: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  grad: noGrad('it is only timed.'),
  onnx: (emit, { inputs: [x, rate, training] }) =>
    emit.one('Dropout', [emit.name(x!), emit.name(rate!), emit.name(training!)], {
      seed: { int: 1 },
    }),
});

const engine = await createEngine({ threads: 2 });
const x = input('x', 'float32', SHAPE);
const key = input('key', 'int32', [2]);
const feeds = {
  x: await engine.runtime.upload(randomTensor('x', SHAPE)),
  key: hostTensor('int32', [2], Int32Array.from(makeKey(1))),
};
const variant = async (y: Tensor) => {
  const program = await engine.program({ y });
  const into = { y: await engine.runtime.upload(randomTensor('y', SHAPE)) };
  return async () => {
    const start = performance.now();
    await program.run(feeds, into);
    return performance.now() - start;
  };
};
const ours = await variant(dropout(x, RATE, foldIn(key, 'site')));
const peer = await variant(
  ortDropout.one([x, constant([RATE], 'float32', []), constant([1], 'bool', [])], undefined),
);

const times: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
for (let i = -5; i < ROUNDS; i++) {
  const [a, b] = [await ours(), await peer()];
  if (i >= 0) {
    times.ours.push(a);
    times.peer.push(b);
  }
}
const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
const median = (list: number[]) => sorted(list)[list.length >> 1]!;
const ratios = sorted(times.peer.map((p, i) => p / times.ours[i]!));
const row = {
  name: `dropout of ${SHAPE.join(' x ')}, 2 threads`,
  ours: Number(median(times.ours).toFixed(2)),
  peer: Number(median(times.peer).toFixed(2)),
  ratio: Number(median(ratios).toFixed(2)),
  spread: [0.1, 0.9].map((q) => Number(ratios[Math.floor(q * ratios.length)]!.toFixed(2))),
  goal: 1,
  unit: 'ms',
  note: "peer: ONNX Runtime's Dropout in training mode; ours can be repeated from a key",
};
if (process.argv.includes('--json')) console.log(JSON.stringify({ rows: [row] }));
else console.table([row], ['name', 'ours', 'peer', 'ratio', 'unit']);
