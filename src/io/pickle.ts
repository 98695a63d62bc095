/**
 * Python's pickle format, read by an interpreter that executes nothing: numbers, text and containers
 * are built here; every other name is put to a {@link PickleHost}, which knows what it allows.
 *
 * Protocols 2 to 5 are read, the binary ones; nothing writes weights in the older text protocols.
 * @see https://github.com/python/cpython/blob/main/Lib/pickletools.py for the opcodes
 */
import { PickleBytes } from './pickle-bytes.js';

/** Opcodes beyond this are refused: a checkpoint of a thousand tensors has about 100 000. */
const MAX_STEPS = 4_000_000;

/** Something that a pickle may call: a constructor of the few types a host allows. */
export class PickleFunction {
  constructor(
    readonly name: string,
    readonly call: (args: readonly unknown[]) => unknown,
  ) {}
}

/** What the world outside the pickle is. */
export interface PickleHost {
  /** What a global stands for. @throws WeightsError for all that is not known to be harmless */
  global(module: string, name: string): unknown;
  /** An object that is kept outside the pickle, by its id. */
  persistent(id: unknown): unknown;
}

/** A Python tuple; lists are plain arrays. */
export class Tuple extends Array<unknown> {}

class Interpreter {
  private steps = 0;
  private stack: unknown[] = [];
  private readonly outer: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();

  constructor(
    private readonly from: PickleBytes,
    private readonly host: PickleHost,
  ) {}

  private fail(message: string): never {
    return this.from.fail(message);
  }

  /** Counts work against the limit, so that a small file cannot keep the machine busy. */
  private spend(steps: number): void {
    this.steps += steps;
    if (this.steps > MAX_STEPS) {
      this.fail(`more than ${MAX_STEPS} steps, which no checkpoint needs`);
    }
  }

  private pop(): unknown {
    if (this.stack.length === 0) this.fail('a value was taken from an empty stack');
    return this.stack.pop();
  }

  private top(): unknown {
    if (this.stack.length === 0) this.fail('a value was read from an empty stack');
    return this.stack.at(-1);
  }

  private tuple(length: number): Tuple {
    if (this.stack.length < length) this.fail('a tuple of values that are not there');
    return Tuple.from(this.stack.splice(this.stack.length - length)) as Tuple;
  }

  /** The values since the last mark. */
  private marked(): unknown[] {
    const values = this.stack;
    const outer = this.outer.pop();
    if (!outer) this.fail('a mark that was never set');
    this.stack = outer;
    this.spend(values.length);
    return values;
  }

  private list(): unknown[] {
    const list = this.top();
    if (!Array.isArray(list) || list instanceof Tuple) this.fail('values appended to no list');
    return list;
  }

  private putAll(pairs: readonly unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || pairs.length % 2) this.fail('values put into no dictionary');
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i], pairs[i + 1]);
  }

  private recall(index: number): unknown {
    if (!this.memo.has(index)) this.fail(`value ${index} was recalled but never kept`);
    return this.memo.get(index);
  }

  private call(callee: unknown, args: unknown): unknown {
    if (!(callee instanceof PickleFunction)) this.fail('a call of what is not a known type');
    if (!(args instanceof Tuple)) this.fail(`a call of ${callee.name} without arguments`);
    // A constructor may copy its arguments, and one argument may be used a million times.
    for (const arg of args) {
      if (Array.isArray(arg)) this.spend(arg.length);
      else if (arg instanceof Map || arg instanceof Set) this.spend(arg.size);
    }
    return callee.call(args);
  }

  /** State of an object. Only dictionaries take it, which have attributes of no use (`_metadata`). */
  private build(): void {
    const state = this.pop();
    if (!(this.top() instanceof Map) || !(state instanceof Map)) {
      this.fail('state for an object that takes none');
    }
  }

  private global(module: unknown, name: unknown): unknown {
    if (typeof module !== 'string' || typeof name !== 'string') this.fail('a global without name');
    return this.host.global(module, name);
  }

  /** Runs one opcode; true at the last. */
  private step(): boolean {
    const { stack, from } = this;
    const op = from.u8();
    this.spend(1);
    switch (String.fromCharCode(op)) {
      case '\x80': {
        const protocol = from.u8();
        if (protocol > 5) this.fail(`protocol ${protocol}, newer than any that is known`);
        break;
      }
      case '\x95': // FRAME: a hint for readers of streams
        from.u64();
        break;
      case '.':
        return true;
      case '(':
        this.outer.push(stack);
        this.stack = [];
        break;
      case '0':
        this.pop();
        break;
      case '1':
        this.marked();
        break;
      case '2':
        stack.push(this.top());
        break;
      case 'N':
        stack.push(null);
        break;
      case '\x88':
      case '\x89':
        stack.push(op === 0x88);
        break;
      case 'J':
        stack.push(from.i32());
        break;
      case 'K':
        stack.push(from.u8());
        break;
      case 'M':
        stack.push(from.u16());
        break;
      case '\x8a':
        stack.push(from.long(from.u8()));
        break;
      case '\x8b':
        stack.push(from.long(from.u32()));
        break;
      case 'G':
        stack.push(from.f64());
        break;
      case 'X':
        stack.push(from.text(from.u32()));
        break;
      case '\x8c':
        stack.push(from.text(from.u8()));
        break;
      case '\x8d':
        stack.push(from.text(from.u64()));
        break;
      case 'T':
        stack.push(from.oldText(from.u32()));
        break;
      case 'U':
        stack.push(from.oldText(from.u8()));
        break;
      case 'B':
        stack.push(from.chunk(from.u32()));
        break;
      case 'C':
        stack.push(from.chunk(from.u8()));
        break;
      case '\x8e':
      case '\x96':
        stack.push(from.chunk(from.u64()));
        break;
      case ']':
        stack.push([]);
        break;
      case 'a': {
        const value = this.pop();
        this.list().push(value);
        break;
      }
      case 'e': {
        const values = this.marked();
        const list = this.list();
        for (const value of values) list.push(value);
        break;
      }
      case 'l': {
        const values = this.marked();
        this.stack.push(values);
        break;
      }
      case ')':
        stack.push(new Tuple());
        break;
      case '\x85':
      case '\x86':
      case '\x87':
        stack.push(this.tuple(op - 0x84));
        break;
      case 't': {
        const values = this.marked();
        this.stack.push(Tuple.from(values));
        break;
      }
      case '}':
        stack.push(new Map());
        break;
      case 's': {
        const value = this.pop();
        const key = this.pop();
        this.putAll([key, value]);
        break;
      }
      case 'u':
        this.putAll(this.marked());
        break;
      case 'd': {
        const pairs = this.marked();
        this.stack.push(new Map());
        this.putAll(pairs);
        break;
      }
      case '\x8f':
        stack.push(new Set());
        break;
      case '\x90': {
        const values = this.marked();
        const set = this.top();
        if (!(set instanceof Set)) this.fail('values added to no set');
        for (const value of values) set.add(value);
        break;
      }
      case '\x91': {
        const values = this.marked();
        this.stack.push(new Set(values));
        break;
      }
      case 'q':
        this.memo.set(from.u8(), this.top());
        break;
      case 'r':
        this.memo.set(from.u32(), this.top());
        break;
      case '\x94':
        this.memo.set(this.memo.size, this.top());
        break;
      case 'h':
        stack.push(this.recall(from.u8()));
        break;
      case 'j':
        stack.push(this.recall(from.u32()));
        break;
      case 'c': {
        const module = from.line();
        stack.push(this.global(module, from.line()));
        break;
      }
      case '\x93': {
        const name = this.pop();
        stack.push(this.global(this.pop(), name));
        break;
      }
      case 'R':
      case '\x81': {
        const args = this.pop();
        stack.push(this.call(this.pop(), args));
        break;
      }
      case 'b':
        this.build();
        break;
      case 'Q':
        stack.push(this.host.persistent(this.pop()));
        break;
      default:
        this.fail(
          `opcode 0x${op.toString(16).padStart(2, '0')}, which weights do not need; with a text protocol save again with protocol 2`,
        );
    }
    return false;
  }

  run(): { value: unknown; end: number } {
    while (!this.step());
    const value = this.pop();
    if (this.stack.length || this.outer.length) this.fail('values are left over at the end');
    return { value, end: this.from.at };
  }
}

/**
 * Reads the pickle that begins at `start`. Dictionaries become Maps, lists arrays, tuples
 * {@link Tuple}s, bytes Uint8Arrays (views), whole numbers beyond 2^53 bigints.
 * @returns the value, and where the pickle ends
 * @throws WeightsError when it is damaged, needs too many steps, or asks for what the host refuses
 * @throws PickleTruncated when `bytes` end too early
 */
export function unpickle(
  bytes: Uint8Array,
  host: PickleHost,
  start = 0,
): { value: unknown; end: number } {
  return new Interpreter(new PickleBytes(bytes, start), host).run();
}
