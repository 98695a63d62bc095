/** From the nested containers of a PyTorch checkpoint to tensors with flat names. */
import { refuseTorch as refuse, TorchTensor } from './torch-tensor.js';

/** Keys under which training scripts put the state dictionary of the model. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model'];
/** Wrappers in wrappers; two are seen in the wild. */
const MAX_WRAPPERS = 4;
/** Values that are looked at; containers may hold one another many times over. */
const MAX_VISITS = 4_000_000;
const MAX_DEPTH = 100;
/** Characters of one name; the longest of known models have about 150. */
const MAX_NAME = 1024;

/** Entries of a container; null for anything else. */
function entriesOf(value: unknown): Iterable<[unknown, unknown]> | null {
  if (value instanceof Map) return value;
  return Array.isArray(value) ? value.entries() : null;
}

class Collector {
  private visits = 0;
  readonly tensors = new Map<string, TorchTensor>();

  private add(name: string, tensor: TorchTensor): void {
    if (this.tensors.has(name)) refuse(`two tensors are both called '${name}' once flattened.`);
    this.tensors.set(name, tensor);
  }

  visit(value: unknown, name: string, depth: number): void {
    if (++this.visits > MAX_VISITS || depth > MAX_DEPTH) {
      refuse('its containers are nested beyond all measure. The file is damaged.');
    }
    if (value instanceof TorchTensor) this.add(name || 'tensor', value);
    const entries = entriesOf(value);
    if (!entries) return;
    for (const [key, inner] of entries) {
      const usable = typeof key === 'string' || typeof key === 'number';
      if (!usable) {
        if (inner instanceof TorchTensor || entriesOf(inner)) {
          refuse(`below '${name}' a value lies under a key that is neither text nor a number.`);
        }
        continue;
      }
      const path = name === '' ? String(key) : `${name}.${key}`;
      if (path.length > MAX_NAME) refuse(`a name has more than ${MAX_NAME} characters.`);
      this.visit(inner, path, depth + 1);
    }
  }
}

function tensorsIn(value: unknown): Map<string, TorchTensor> {
  const collector = new Collector();
  collector.visit(value, '', 0);
  return collector.tensors;
}

/** Text, numbers and booleans that lie beside the weights, such as `epoch` and `arch`. */
function remarks(value: unknown): Record<string, string> {
  if (!(value instanceof Map)) return {};
  const plain = [...value].filter(
    ([key, v]) => typeof key === 'string' && ['string', 'number', 'boolean'].includes(typeof v),
  );
  return Object.fromEntries(plain.map(([key, v]) => [key, String(v)]));
}

/**
 * Finds the tensors of a checkpoint. Of `{ state_dict: {...}, epoch: 3, optimizer: {...} }` only what
 * is under `state_dict` (or `model_state_dict`, or `model`) counts; names have no such prefix then.
 * Elsewhere keys are joined by dots: `{ encoder: { weight } }` gives `encoder.weight`.
 */
export function namedTensors(root: unknown): {
  tensors: Map<string, TorchTensor>;
  metadata: Readonly<Record<string, string>>;
} {
  let value = root;
  for (let depth = 0; depth < MAX_WRAPPERS && value instanceof Map; depth++) {
    const dict: ReadonlyMap<unknown, unknown> = value;
    const inner = WRAPPERS.map((key) => dict.get(key)).find(
      (v) => v instanceof Map && tensorsIn(v).size > 0,
    );
    if (inner === undefined) break;
    value = inner;
  }
  return { tensors: tensorsIn(value), metadata: remarks(root) };
}
