/**
 * A small model hub on loopback, for tests: model info, tree in pages, files with redirects, digests
 * and ranges, as the hub's API gives them to huggingface_hub and @huggingface/hub. Large files are
 * served from a second address, as the hub's storage is.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Content of a file; `lfs` files are named by SHA-256 and served by the storage. */
export interface HubFileContent {
  readonly content: Uint8Array | string;
  readonly lfs?: boolean;
}

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly host: 'hub' | 'storage';
  /** With the query. */
  readonly url: string;
  readonly token: string | null;
  readonly range: string | null;
}

/** How an answer is spoilt. */
export interface Fault {
  /** Answer with this status instead. */
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Break the connection after so many bytes of the body. */
  readonly dropAfter?: number;
  /** Send so many bytes of the body, then nothing more. */
  readonly stallAfter?: number;
  /** Send these bytes instead of the file's. */
  readonly body?: Uint8Array | string;
  /** Send the whole file whatever range was asked for. */
  readonly ignoreRange?: boolean;
  /** Answer when this is done. */
  readonly wait?: Promise<unknown>;
}

interface Stored {
  readonly path: string;
  readonly bytes: Buffer;
  readonly oid: string;
  readonly sha256: string | null;
}

interface Repo {
  readonly commits: Map<string, Stored[]>;
  readonly refs: Map<string, string>;
  readonly access: 'public' | 'private' | 'gated';
}

const hex = (algorithm: string, ...parts: (Uint8Array | string)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest('hex');

/** Git's name of a content. */
export function gitDigest(bytes: Uint8Array): string {
  return hex('sha1', `blob ${bytes.length}\0`, bytes);
}

function store(path: string, { content, lfs }: HubFileContent): Stored {
  const bytes = Buffer.from(content as string);
  const sha256 = lfs ? hex('sha256', bytes) : null;
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${bytes.length}\n`;
  return { path, bytes, sha256, oid: gitDigest(lfs ? Buffer.from(pointer) : bytes) };
}

/** A running hub. */
export class HubServer {
  /** Address to give as HF_ENDPOINT. */
  url = '';
  storageUrl = '';
  readonly requests: SeenRequest[] = [];
  /** Spoils answers; called for each request. */
  fault: (request: SeenRequest) => Fault | undefined = () => undefined;
  /** Entries of one page of the tree. */
  pageSize = 1000;
  /** Changes entries of the tree before they are sent. */
  tamper: (entry: Record<string, unknown>) => Record<string, unknown> = (entry) => entry;
  /** The token that opens private repositories, and the one that gated ones have accepted. */
  readonly token = 'hf_testTokenThatOpens';
  private readonly repos = new Map<string, Repo>();
  private readonly servers: Server[] = [];

  /** Adds a commit to a repository, which is made if it is new; gives its name. */
  push(
    name: string,
    files: Record<string, HubFileContent | string>,
    { branch = 'main', access = 'public' as Repo['access'] } = {},
  ): string {
    const repo = this.repos.get(name) ?? { commits: new Map(), refs: new Map(), access };
    this.repos.set(name, repo);
    const stored = Object.entries(files).map(([path, file]) =>
      store(path, typeof file === 'string' ? { content: file } : file),
    );
    const commit = hex('sha1', name, String(repo.commits.size), ...stored.map((f) => f.oid));
    repo.commits.set(commit, stored);
    repo.refs.set(branch, commit);
    return commit;
  }

  /** Listens on two free ports of loopback. */
  async start(): Promise<this> {
    const listen = async (host: SeenRequest['host']) => {
      const server = createServer((request, response) => {
        this.handle(host, request, response).catch((error) => response.destroy(error));
      });
      this.servers.push(server);
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    this.url = await listen('hub');
    this.storageUrl = await listen('storage');
    return this;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const server of this.servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  private async handle(host: SeenRequest['host'], request: IncomingMessage, to: ServerResponse) {
    const seen: SeenRequest = {
      method: request.method ?? 'GET',
      host,
      url: request.url ?? '/',
      token: request.headers.authorization?.replace(/^Bearer /, '') ?? null,
      range: request.headers.range ?? null,
    };
    this.requests.push(seen);
    const fault = this.fault(seen) ?? {};
    await fault.wait;
    if (fault.status !== undefined) {
      to.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    const url = new URL(seen.url, this.url);
    const [, name, what, rest] =
      /^(?:\/api\/(?:models|resolve-cache\/models))?\/([^/]+\/[^/]+)\/(revision|tree|resolve|[0-9a-f]{40})\/(.+)$/.exec(
        url.pathname,
      ) ?? [];
    if (host === 'storage') return this.storage(seen, url, to, fault);
    const repo = this.repos.get(name ?? '');
    const open = seen.token === this.token;
    if (seen.token !== null && !open && seen.token.includes('wrong')) {
      return refuse(to, 401, null, 'Invalid credentials in Authorization header');
    }
    if (!repo || !what || !rest || (repo.access === 'private' && !open)) {
      return refuse(to, seen.token ? 404 : 401, 'RepoNotFound', 'Repository not found');
    }
    if (what === 'revision') return this.info(name!, repo, decodeURIComponent(rest), to);
    if (what === 'tree') return this.tree(repo, decodeURIComponent(rest), url, to);

    const [revision, path] = what === 'resolve' ? split(rest) : [what, rest];
    const commit = repo.refs.get(decodeURIComponent(revision)) ?? revision;
    const file = repo.commits.get(commit)?.find((f) => f.path === decodeURIComponent(path));
    if (!repo.commits.has(commit)) return refuse(to, 404, 'RevisionNotFound', 'Invalid rev id');
    if (repo.access === 'gated' && !open) {
      return refuse(to, seen.token ? 403 : 401, 'GatedRepo', `Access to ${name} is restricted.`);
    }
    to.setHeader('x-repo-commit', commit);
    if (!file) return refuse(to, 404, 'EntryNotFound', 'Entry not found');
    if (file.sha256) {
      to.writeHead(302, {
        location: `${this.storageUrl}/${file.sha256}?Signature=secretOfTheStorage`,
        'x-linked-etag': `"${file.sha256}"`,
        'x-linked-size': file.bytes.length,
      }).end();
    } else if (what === 'resolve') {
      const location = `/api/resolve-cache/models/${name}/${commit}/${path}`;
      to.writeHead(307, { location, etag: `"${file.oid}"` }).end();
    } else {
      to.setHeader('etag', `"${file.oid}"`);
      send(seen, to, file.bytes, fault);
    }
  }

  private info(name: string, repo: Repo, revision: string, to: ServerResponse) {
    const commit = repo.commits.has(revision) ? revision : repo.refs.get(revision);
    if (!commit) return refuse(to, 404, 'RevisionNotFound', 'Invalid rev id');
    const siblings = repo.commits.get(commit)!.map((f) => ({ rfilename: f.path }));
    json(to, {
      _id: '0123456789abcdef01234567',
      id: name,
      modelId: name,
      sha: commit,
      private: repo.access === 'private',
      gated: repo.access === 'gated' ? 'auto' : false,
      lastModified: '2024-01-01T00:00:00.000Z',
      downloads: 1,
      likes: 1,
      tags: [],
      siblings,
    });
  }

  private tree(repo: Repo, revision: string, url: URL, to: ServerResponse) {
    const files = repo.commits.get(repo.refs.get(revision) ?? revision);
    if (!files) return refuse(to, 404, 'RevisionNotFound', 'Invalid rev id');
    const folders = new Set(
      files.flatMap((f) => (f.path.includes('/') ? [f.path.split('/')[0]!] : [])),
    );
    const entries = [
      ...[...folders].map((path) => ({
        type: 'directory',
        oid: gitDigest(Buffer.from(path)),
        size: 0,
        path,
      })),
      ...files.map(({ path, oid, bytes, sha256 }) => ({
        type: 'file',
        oid,
        size: bytes.length,
        path,
        ...(sha256 ? { lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } } : {}),
      })),
    ];
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const next = from + this.pageSize;
    if (next < entries.length) {
      const more = new URL(url);
      more.searchParams.set('cursor', String(next));
      to.setHeader('link', `<${more.href}>; rel="next"`);
    }
    json(
      to,
      entries.slice(from, next).map((entry) => this.tamper(entry)),
    );
  }

  private storage(seen: SeenRequest, url: URL, to: ServerResponse, fault: Fault): void {
    const all = [...this.repos.values()].flatMap((r) => [...r.commits.values()].flat());
    const file = all.find((f) => f.sha256 === url.pathname.slice(1));
    if (!file || url.searchParams.get('Signature') !== 'secretOfTheStorage') {
      to.writeHead(403).end();
      return;
    }
    to.setHeader('etag', `"${gitDigest(file.bytes)}"`);
    send(seen, to, file.bytes, fault);
  }
}

function split(rest: string): [string, string] {
  const slash = rest.indexOf('/');
  return [rest.slice(0, slash), rest.slice(slash + 1)];
}

function json(to: ServerResponse, value: unknown): void {
  to.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(
    JSON.stringify(value),
  );
}

function refuse(to: ServerResponse, status: number, code: string | null, message: string): void {
  if (code) to.setHeader('x-error-code', code);
  to.setHeader('x-error-message', message);
  to.writeHead(status, { 'content-type': 'application/json' }).end(
    JSON.stringify({ error: message }),
  );
}

function send(seen: SeenRequest, to: ServerResponse, file: Uint8Array, fault: Fault): void {
  const whole = fault.body === undefined ? Buffer.from(file) : Buffer.from(fault.body as string);
  const range = fault.ignoreRange ? null : /^bytes=(\d+)-(\d*)$/.exec(seen.range ?? '');
  const from = range ? Number(range[1]) : 0;
  if (range && from >= whole.length) {
    to.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
    return;
  }
  const bytes = whole.subarray(from, range?.[2] ? Number(range[2]) + 1 : undefined);
  to.writeHead(range ? 206 : 200, {
    'content-length': bytes.length,
    'accept-ranges': 'bytes',
    ...(range
      ? { 'content-range': `bytes ${from}-${from + bytes.length - 1}/${whole.length}` }
      : {}),
  });
  if (seen.method === 'HEAD') to.end();
  else if (fault.stallAfter !== undefined) to.write(bytes.subarray(0, fault.stallAfter));
  else if (fault.dropAfter === undefined) to.end(bytes);
  else to.write(bytes.subarray(0, fault.dropAfter), () => to.socket?.destroy());
}

/** Starts an empty hub. */
export function startHub(): Promise<HubServer> {
  return new HubServer().start();
}
