/**
 * Requests to a hub: redirects, the token, retries, and errors that say what to do (Node). What a
 * repository holds is asked through @huggingface/hub; its requests go the same way.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GraftError, HubError } from '../errors.js';
import { isCommit } from './hub-cache.js';
import { type HubRequest, nameOf, notAHub, statusError, unreachable } from './hub-errors.js';
import { type HubFile, parseHubFile } from './hub-file.js';
import type { HubSettings } from './hub-settings.js';

/** Tries of one request; the waits between them are 0.5, 1, 2 and 4 seconds. */
export const ATTEMPTS = 5;
/** A connection on which nothing comes for so long is given up; slow ones send something. */
const STALL_MS = 30_000;
/** The longest wait that a server may ask for (Retry-After). */
const MAX_WAIT_MS = 60_000;
const MAX_REDIRECTS = 10;
/** Bytes of one answer of the API; a page of 1000 files has about 0.3 MB. */
const MAX_ANSWER = 64 * 2 ** 20;
/** Pages and files of a list; keeps a server that never ends its list from filling the memory. */
const MAX_PAGES = 1000;
const MAX_FILES = 200_000;

/** An answer whose body is not read yet; it must be read or cancelled. */
export interface HubReply {
  readonly status: number;
  readonly headers: Headers;
  /** Pieces of the body; ends with an error when the connection breaks or stalls. */
  readonly body: AsyncIterable<Uint8Array>;
  cancel(): Promise<void>;
}

type Fetch = typeof fetch;

/** How requests are made; for tests and for programs with a network stack of their own. */
export interface HubTransport {
  /** Instead of the global `fetch`. Must honour `redirect: 'manual'` and `signal`. */
  readonly fetch?: Fetch;
  /** Instead of a timer: waits so many milliseconds before a retry, or until it is cancelled. */
  readonly delay?: (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;
}

/** A body that broke off; the cause is what fetch says of it. */
export class ConnectionLost extends Error {}

/** A timer that ends a request unless `touch` is called now and then. */
class Watchdog {
  private readonly controller = new AbortController();
  readonly signal: AbortSignal;
  private timer: NodeJS.Timeout | undefined;

  constructor(outer?: AbortSignal) {
    this.signal = outer ? AbortSignal.any([outer, this.controller.signal]) : this.controller.signal;
    this.touch();
  }

  touch(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => this.controller.abort(new DOMException('stalled', 'TimeoutError')),
      STALL_MS,
    );
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

async function* pieces(response: Response, watch: Watchdog): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response.body ?? []) {
      watch.touch();
      yield piece;
    }
  } catch (cause) {
    throw new ConnectionLost('The connection broke.', { cause });
  } finally {
    watch.stop();
  }
}

async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** The watchdog goes on until the body is read or cancelled. */
function reply(response: Response, watch: Watchdog): HubReply {
  return {
    status: response.status,
    headers: response.headers,
    body: pieces(response, watch),
    async cancel() {
      watch.stop();
      await discard(response);
    },
  };
}

/** A hub, as its settings say. */
export class HubClient {
  private readonly fetch: Fetch;
  private readonly delay: NonNullable<HubTransport['delay']>;

  constructor(
    readonly settings: HubSettings,
    transport: HubTransport,
  ) {
    this.fetch = transport.fetch ?? fetch;
    this.delay = transport.delay ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  }

  /** Waits before try number `attempt` + 1. */
  async pause(attempt: number, signal?: AbortSignal, atLeast = 0): Promise<void> {
    await this.delay(Math.max(500 * 2 ** (attempt - 1), atLeast), signal);
    signal?.throwIfAborted();
  }

  /** The commit that a branch, a tag or a short commit stands for now. */
  async commit(repo: string, revision: string): Promise<string> {
    const { modelInfo } = await import('@huggingface/hub');
    const about = { repo, revision };
    const info = await this.api(about, (fetch) =>
      modelInfo({
        name: repo,
        revision,
        hubUrl: this.settings.endpoint,
        additionalFields: ['sha'],
        fetch,
      }),
    );
    if (typeof info.sha !== 'string' || !isCommit(info.sha)) {
      throw notAHub(about, this.settings, 'no commit in what it says of the model');
    }
    return info.sha;
  }

  /** All files of a commit. */
  async list(repo: string, commit: string): Promise<HubFile[]> {
    const { listFiles } = await import('@huggingface/hub');
    const about = { repo, revision: commit };
    return this.api(about, async (fetch) => {
      const files: HubFile[] = [];
      const { endpoint: hubUrl } = this.settings;
      for await (const entry of listFiles({
        repo,
        revision: commit,
        recursive: true,
        hubUrl,
        fetch,
      })) {
        if (entry?.type !== 'file') continue;
        files.push(parseHubFile(entry));
        if (files.length > MAX_FILES) {
          throw notAHub(about, this.settings, `more than ${MAX_FILES} files`);
        }
      }
      return files;
    });
  }

  /** Asks for a file of a commit from byte `from` on; a server may send all of it instead (status 200). */
  file(request: HubRequest, from: number, signal?: AbortSignal): Promise<HubReply> {
    const path = request.path!.split('/').map(encodeURIComponent).join('/');
    const url = `${this.settings.endpoint}/${request.repo}/resolve/${request.revision}/${path}`;
    return this.send(request, url, from > 0 ? { range: `bytes=${from}-` } : {}, signal);
  }

  /** Runs a function of the library on our own requests. */
  private async api<T>(about: HubRequest, call: (fetch: Fetch) => Promise<T>): Promise<T> {
    let pages = 0;
    try {
      return await call(async (input) => {
        if (++pages > MAX_PAGES)
          throw notAHub(about, this.settings, `more than ${MAX_PAGES} pages`);
        return this.answer(about, String(input));
      });
    } catch (error) {
      if (error instanceof GraftError) throw error;
      throw notAHub(about, this.settings, 'its answer is not the JSON of one');
    }
  }

  /** One answer of the API, read whole; a connection lost on the way is made again. */
  private async answer(about: HubRequest, url: string): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const reply = await this.send(about, url, { accept: 'application/json' });
      const parts: Uint8Array[] = [];
      let bytes = 0;
      try {
        for await (const part of reply.body) {
          parts.push(part);
          bytes += part.length;
          if (bytes > MAX_ANSWER) throw notAHub(about, this.settings, 'an answer without end');
        }
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (attempt === ATTEMPTS) throw unreachable(about, url, error);
        await this.pause(attempt);
        continue;
      }
      return new Response(Buffer.concat(parts), { headers: reply.headers });
    }
  }

  private async send(
    about: HubRequest,
    url: string,
    headers: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<HubReply> {
    for (let attempt = 1; ; attempt++) {
      const watch = new Watchdog(signal);
      let wait = 0;
      let failure: HubError;
      try {
        const response = await this.follow(about, url, headers, watch.signal);
        if (response.ok || response.status === 416) return reply(response, watch);
        await discard(response);
        failure = statusError(about, response, this.settings);
        const asked = Number(response.headers.get('retry-after')) * 1000;
        if (asked > 0) wait = Math.min(asked, MAX_WAIT_MS);
      } catch (error) {
        watch.stop();
        signal?.throwIfAborted();
        if (error instanceof GraftError) throw error;
        failure = unreachable(about, url, error);
      }
      watch.stop();
      if (failure.code !== 'hub-unreachable' || attempt === ATTEMPTS) throw failure;
      await this.pause(attempt, signal, wait);
    }
  }

  /** Redirects are followed here, not by fetch: the token goes to the hub itself and nowhere else. */
  private async follow(
    about: HubRequest,
    start: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Response> {
    const { endpoint, token } = this.settings;
    let url = new URL(start);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const trusted = url.origin === new URL(endpoint).origin;
      const response = await this.fetch(url.href, {
        headers: {
          'user-agent': 'graftml',
          // Sizes, digests and ranges are those of the bytes as they are stored.
          'accept-encoding': 'identity',
          ...headers,
          ...(trusted && token ? { authorization: `Bearer ${token.value}` } : {}),
        },
        redirect: 'manual',
        signal,
      });
      const target = response.headers.get('location');
      if (![301, 302, 303, 307, 308].includes(response.status) || target === null) return response;
      await discard(response);
      const next = URL.canParse(target, url.href) ? new URL(target, url.href) : null;
      if (!next || !/^https?:$/.test(next.protocol)) {
        throw notAHub(about, this.settings, 'it redirects to something that is no web address');
      }
      if (url.protocol === 'https:' && next.protocol === 'http:') {
        throw notAHub(about, this.settings, 'it redirects from an encrypted to an open connection');
      }
      url = next;
    }
    throw new HubError(
      'hub-answer',
      `${nameOf(about)}: more than ${MAX_REDIRECTS} redirects. Check HF_ENDPOINT.`,
      { ...about },
    );
  }
}
