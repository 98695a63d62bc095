/** The other side of a benchmark: a process that prepares rows, and runs them when it is asked. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Side } from './harness.js';

/** A peer is not there, or has ended. */
export class PeerError extends Error {}

/** A Python that has PyTorch. @throws PeerError when there is none */
export function findPython(): string {
  const candidates = process.env.GRAFT_PYTHON ? [process.env.GRAFT_PYTHON] : ['python3', 'python'];
  for (const python of candidates) {
    try {
      execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
      return python;
    } catch {
      // Not there, or without torch: the next one.
    }
  }
  throw new PeerError(
    `The peer needs a Python with PyTorch (pip install torch); tried ${candidates.join(', ')}. Set GRAFT_PYTHON to one that has it.`,
  );
}

/** A peer's process: it prepares rows, and runs them when asked, so that nothing else runs beside ours. */
export class Peer {
  readonly version: string;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly replies: AsyncIterator<string>;

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    replies: AsyncIterator<string>,
    version: string,
  ) {
    this.child = child;
    this.replies = replies;
    this.version = version;
  }

  private static async start(command: string, args: readonly string[]): Promise<Peer> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const replies = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const hello = await replies.next();
    if (hello.done) throw new PeerError('The peer ended before it said hello.');
    const { version, error } = JSON.parse(hello.value);
    if (error) throw new PeerError(error);
    return new Peer(child, replies, version);
  }

  /** Starts `script` with a Python that has PyTorch. */
  static python(script: URL, args: readonly string[] = []): Promise<Peer> {
    return Peer.start(findPython(), [fileURLToPath(script), ...args]);
  }

  /**
   * Starts `script` with this Node. Packages in the `package.json` beside it are installed first:
   * they are no dependencies of Graft.
   */
  static async node(script: URL): Promise<Peer> {
    const folder = fileURLToPath(new URL('.', script));
    if (!existsSync(new URL('./node_modules', script))) {
      console.error(`Installing what ${folder}package.json lists.`);
      try {
        const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
        execFileSync('npm', ['ci', '--prefix', folder, ...quiet], {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
      } catch {
        throw new PeerError(
          `npm ci --prefix ${folder} failed, see above; this peer needs its packages. Rows of other peers run with --only.`,
        );
      }
    }
    return Peer.start(process.execPath, [fileURLToPath(script)]);
  }

  private async ask(request: object): Promise<{ seconds: number; note?: string }> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const reply = await this.replies.next();
    if (reply.done) throw new PeerError('The peer ended; its message is above.');
    const { error, ...rest } = JSON.parse(reply.value);
    if (error) throw new PeerError(error);
    return rest;
  }

  /**
   * Prepares a row, has it measured, and frees it.
   * @param work also gets what the peer has to say of the row
   * @param warm run it once beforehand; false where a call takes so long that it does not matter
   * @throws PeerError when it cannot run on this machine
   */
  async with<T>(
    row: string,
    work: (side: Side, note: string) => Promise<T>,
    { warm = true } = {},
  ): Promise<T> {
    const { note = '' } = await this.ask({ do: 'prepare', row, warm });
    const time = async (calls: number) =>
      ((await this.ask({ do: 'time', row, calls })).seconds * 1000) / calls;
    const result = await work({ time }, note);
    await this.ask({ do: 'drop', row });
    return result;
  }

  stop(): void {
    this.child.stdin.end();
  }
}

/** Peak resident memory of a process of its own, in MiB: it prints `{"mib": n}` last. */
function peakOf(command: string, args: readonly string[]): number {
  const out = execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 24 });
  return JSON.parse(out.trim().split('\n').at(-1)!).mib;
}

const PROBE = fileURLToPath(new URL('./peak-memory.ts', import.meta.url));

/** Peak memory of a step of ours, see peak-memory.ts. */
export function ourPeak(models: string, step: string, calls: number): number {
  return peakOf(process.execPath, ['--import', 'tsx', PROBE, models, step, String(calls)]);
}

/** Peak memory of a peer's row. */
export function peerPeak(script: URL, row: string, calls: number): number {
  return peakOf(findPython(), [fileURLToPath(script), '--peak', row, String(calls)]);
}
