/** A BERT encoder (12 layers, 768 wide) with a classifier on the first token. */
import {
  add,
  type Context,
  gelu,
  LayerNorm,
  Linear,
  Module,
  matmul,
  mul,
  reshape,
  slice,
  softmax,
  type Tensor,
  transpose,
} from '../../src/index.js';

class EncoderLayer extends Module {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly norm1: LayerNorm;
  readonly up: Linear;
  readonly down: Linear;
  readonly norm2: LayerNorm;
  private readonly heads: number;

  constructor(width: number, heads: number, hidden: number) {
    super();
    this.heads = heads;
    this.query = new Linear(width, width);
    this.key = new Linear(width, width);
    this.value = new Linear(width, width);
    this.output = new Linear(width, width);
    this.norm1 = new LayerNorm(width);
    this.up = new Linear(width, hidden);
    this.down = new Linear(hidden, width);
    this.norm2 = new LayerNorm(width);
  }

  override forward(x: Tensor): Tensor {
    const [batch, length, width] = x.shape as [number, number, number];
    const size = width / this.heads;
    const split = (t: Tensor) =>
      transpose(reshape(t, [batch, length, this.heads, size]), [0, 2, 1, 3]);
    const [q, k, v] = [this.query, this.key, this.value].map((p) => split(p.forward(x)));
    const scores = softmax(mul(matmul(q!, transpose(k!)), size ** -0.5));
    const mixed = reshape(transpose(matmul(scores, v!), [0, 2, 1, 3]), x.shape);
    const y = this.norm1.forward(add(x, this.output.forward(mixed)));
    return this.norm2.forward(add(y, this.down.forward(gelu(this.up.forward(y)))));
  }
}

/** x [batch, length, width] to logits [batch, classes]. */
export class Encoder extends Module {
  readonly layers: EncoderLayer[];
  readonly head: Linear;

  constructor({ layers = 12, width = 768, heads = 12, hidden = 3072, classes = 2 } = {}) {
    super();
    this.layers = Array.from({ length: layers }, () => new EncoderLayer(width, heads, hidden));
    this.head = new Linear(width, classes);
  }

  override forward(x: Tensor, _context: Context): Tensor {
    const y = this.layers.reduce((t, layer) => layer.forward(t), x);
    const first = slice(y, { starts: [0], ends: [1], axes: [1] });
    return this.head.forward(reshape(first, [x.shape[0]!, x.shape[2]!]));
  }
}
