import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type HubServer, startHub } from '../../test/support/hub-server.js';
import type { HubError } from '../errors.js';
import { ATTEMPTS, HubClient, type HubTransport } from './hub-client.js';
import type { HubSettings } from './hub-settings.js';

let hub: HubServer;
let commit: string;
let waits: number[];

beforeEach(async () => {
  hub = await startHub();
  commit = hub.push('org/net', {
    'config.json': '{}',
    'a b/100%.txt': 'odd name',
    'model.safetensors': { content: 'weights', lfs: true },
  });
  waits = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.close();
});

const transport: HubTransport = {
  delay: async (ms) => {
    waits.push(ms);
  },
};

function client(
  token: string | null = null,
  more: HubTransport = {},
  endpoint = hub.url,
): HubClient {
  const settings: HubSettings = {
    endpoint,
    cache: '/nowhere',
    offline: false,
    copies: false,
    token: token === null ? null : { value: token, source: 'HF_TOKEN' },
  };
  return new HubClient(settings, { ...transport, ...more });
}

async function content(from: HubClient, path: string, revision = commit): Promise<string> {
  const reply = await from.file({ repo: 'org/net', revision, path }, 0);
  const parts: Uint8Array[] = [];
  for await (const part of reply.body) parts.push(part);
  return Buffer.concat(parts).toString();
}

const failure = (promise: Promise<unknown>): Promise<HubError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

describe('what a repository holds', () => {
  test('commit of a branch, also one with a slash', async () => {
    const other = hub.push('org/net', { a: 'x' }, { branch: 'refs/pr/1' });
    expect(await client().commit('org/net', 'main')).toBe(commit);
    expect(await client().commit('org/net', 'refs/pr/1')).toBe(other);
  });

  test('files of all pages, without folders', async () => {
    hub.pageSize = 1;
    const files = await client().list('org/net', commit);
    expect(files.map((f) => [f.path, f.size])).toEqual([
      ['config.json', 2],
      ['a b/100%.txt', 8],
      ['model.safetensors', 7],
    ]);
    const digest = createHash('sha256').update('weights').digest('hex');
    expect(files[2]!.sha256).toBe(digest);
    expect(hub.requests).toHaveLength(4);
  });

  test('a list without end is given up', async () => {
    const url = `/api/models/org/net/tree/${commit}`;
    hub.fault = () => ({
      status: 200,
      headers: { link: `<${hub.url}${url}>; rel="next"` },
      body: '[]',
    });
    const error = await failure(client().list('org/net', commit));
    expect(error.code).toBe('hub-answer');
    expect(hub.requests.length).toBe(1000);
  });

  test.each([
    ['<html>please log in</html>', 200],
    ['{"id":"org/net"}', 200],
    ['{"sha":"../../x"}', 200],
    ['null', 200],
    ['', 204],
  ])("an answer that is no hub's: %s", async (body, status) => {
    hub.fault = () => ({ status, body: status === 204 ? undefined : body });
    const error = await failure(client().commit('org/net', 'main'));
    expect(error.code).toBe('hub-answer');
    expect(error.message).toMatch(/HF_ENDPOINT/);
  });

  test('a digest that is a path is refused', async () => {
    hub.tamper = (entry) => ({ ...entry, oid: '../../../../etc/cron.d/x' });
    expect((await failure(client().list('org/net', commit))).code).toBe('hub-answer');
  });
});

describe('redirects', () => {
  test('are followed, within the hub and to its storage', async () => {
    expect(await content(client(), 'config.json')).toBe('{}');
    expect(await content(client(), 'a b/100%.txt')).toBe('odd name');
    expect(await content(client(), 'model.safetensors')).toBe('weights');
  });

  test('the token goes to the hub and nowhere else', async () => {
    await content(client(hub.token), 'config.json');
    await content(client(hub.token), 'model.safetensors');
    const of = (host: string) => hub.requests.filter((r) => r.host === host).map((r) => r.token);
    expect(of('hub')).toEqual([hub.token, hub.token, hub.token]);
    expect(of('storage')).toEqual([null]);
  });

  test('that turn in a circle end', async () => {
    hub.fault = () => ({ status: 302, headers: { location: '/again' } });
    expect((await failure(client().commit('org/net', 'main'))).code).toBe('hub-answer');
    expect(hub.requests.length).toBe(11);
  });

  test('from an encrypted to an open connection, or to a file, are refused', async () => {
    const to = (location: string) => async () =>
      new Response(null, { status: 302, headers: { location } });
    for (const location of ['http://hub.example/x', 'file:///etc/passwd', 'http://[broken']) {
      const over = client('hf_secret', { fetch: to(location) }, 'https://hub.example');
      const error = await failure(over.commit('org/net', 'main'));
      expect(error.code).toBe('hub-answer');
    }
  });
});

describe('tries again', () => {
  test.each([500, 502, 503, 408, 429])('after %i, with longer and longer waits', async (status) => {
    let left = ATTEMPTS - 1;
    hub.fault = () => (left-- > 0 ? { status } : undefined);
    expect(await client().commit('org/net', 'main')).toBe(commit);
    expect(waits).toEqual([500, 1000, 2000, 4000]);
  });

  test('a lost connection, at the beginning and in the middle of an answer', async () => {
    let left = 2;
    hub.fault = (r) =>
      r.url.includes('resolve-cache') && left-- > 0 ? { dropAfter: 0 } : undefined;
    expect(await content(client(), 'config.json').catch((e) => e.message)).toMatch(/broke/);
    const flaky: typeof fetch = async (...args) => {
      if (left-- > -3) throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
      return fetch(...args);
    };
    left = 0;
    expect(await client(null, { fetch: flaky }).commit('org/net', 'main')).toBe(commit);
    expect(waits).toEqual([500, 1000, 2000]);

    let cut = true;
    const half: typeof fetch = async (...args) => {
      if (!cut) return fetch(...args);
      cut = false;
      return new Response(
        new ReadableStream({
          start(to) {
            to.enqueue(Buffer.from('{"sha":'));
            to.error(new Error('gone'));
          },
        }),
      );
    };
    expect(await client(null, { fetch: half }).commit('org/net', 'main')).toBe(commit);
  });

  test('as long after as the server asks, within reason', async () => {
    const answers = ['7', '100000', 'Wed, 21 Oct 2015 07:28:00 GMT'];
    hub.fault = () => {
      const after = answers.shift();
      return after ? { status: 503, headers: { 'retry-after': after } } : undefined;
    };
    await client().commit('org/net', 'main');
    expect(waits).toEqual([7000, 60_000, 2000]);
  });

  test('not for ever', async () => {
    hub.fault = () => ({ status: 500 });
    const error = await failure(client().commit('org/net', 'main'));
    expect(error.code).toBe('hub-unreachable');
    expect(error.message).toMatch(/500/);
    expect(hub.requests.length).toBe(ATTEMPTS);
  });

  test('when nothing listens, and says so', async () => {
    const { url } = hub;
    await hub.close();
    const error = await failure(client('hf_secret', {}, url).commit('org/net', 'main'));
    expect(error.code).toBe('hub-unreachable');
    expect(error.message).toMatch(/ECONNREFUSED/);
    expect(waits.length).toBe(ATTEMPTS - 1);
  });

  test('when nothing comes for half a minute', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let calls = 0;
    const silent: typeof fetch = (_, init) =>
      new Promise((done, fail) => {
        const signal = init!.signal!;
        if (calls++ > 0) {
          // The headers come, then nothing.
          done(
            new Response(
              new ReadableStream({
                start: (to) => signal.addEventListener('abort', () => to.error(signal.reason)),
                pull: () => void vi.advanceTimersByTime(30_000),
              }),
            ),
          );
        }
        signal.addEventListener('abort', () => fail(signal.reason));
        if (calls === 1) vi.advanceTimersByTime(30_000);
      });
    const error = await failure(client(null, { fetch: silent }).commit('org/net', 'main'));
    expect(error.code).toBe('hub-unreachable');
    expect(error.message).toMatch(/nothing came for too long/);
    expect(calls).toBe(1 + ATTEMPTS);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a refusal says what to do', () => {
  const commitOf = (repo: string, token: string | null) => client(token).commit(repo, 'main');

  test('misspelt, or private and not logged in', async () => {
    hub.push('org/mine', { a: 'x' }, { access: 'private' });
    for (const repo of ['org/nett', 'org/mine']) {
      const error = await failure(commitOf(repo, null));
      expect(error.code).toBe('hub-not-found');
      expect(error.message).toMatch(/spelling/);
      expect(error.message).toMatch(/set HF_TOKEN/);
      const other = await failure(commitOf(repo, 'hf_ofSomebodyElse'));
      expect(other.code).toBe('hub-not-found');
      expect(other.message).toMatch(/the token in HF_TOKEN must be allowed/);
    }
    await expect(commitOf('org/mine', hub.token)).resolves.toMatch(/^[0-9a-f]{40}$/);
    expect(hub.requests.length).toBe(5); // none of these is tried again
  });

  test('gated', async () => {
    const revision = hub.push('org/gated', { a: 'x' }, { access: 'gated' });
    const file = (token: string | null) =>
      failure(client(token).file({ repo: 'org/gated', revision, path: 'a' }, 0));
    const without = await file(null);
    expect(without.code).toBe('hub-gated');
    expect(without.message).toContain(`accept its terms at ${hub.url}/org/gated`);
    expect(without.message).toMatch(/set HF_TOKEN/);
    const withOther = await file('hf_ofSomebodyElse');
    expect(withOther.code).toBe('hub-gated');
    expect(withOther.message).toMatch(/the account of the token in HF_TOKEN/);
  });

  test('a wrong token', async () => {
    const error = await failure(commitOf('org/net', 'hf_wrong'));
    expect(error.code).toBe('hub-refused');
    expect(error.message).toMatch(/token in HF_TOKEN: it is mistyped, expired or revoked/);
  });

  test('forbidden, no such revision, no such file, too many requests, unknown', async () => {
    hub.fault = () => ({ status: 403 });
    expect((await failure(commitOf('org/net', null))).code).toBe('hub-refused');
    expect((await failure(commitOf('org/net', 'hf_x'))).message).toMatch(/lacks the right/);
    hub.fault = () => ({ status: 429 });
    expect((await failure(commitOf('org/net', null))).message).toMatch(/set HF_TOKEN/);
    hub.fault = () => ({ status: 418 });
    expect((await failure(commitOf('org/net', null))).code).toBe('hub-answer');
    hub.fault = () => undefined;
    const revision = await failure(client().commit('org/net', 'v9'));
    expect(revision.code).toBe('hub-no-revision');
    expect(revision.message).toMatch(/'v9'/);
    expect((await failure(content(client(), 'gone'))).code).toBe('hub-no-file');
  });

  test('without the token, and without what the storage signs', async () => {
    const secret = 'hf_aSecretThatNobodySees';
    hub.fault = (r) => (r.host === 'storage' ? { status: 500 } : undefined);
    const errors = [
      await failure(content(client(secret), 'model.safetensors')),
      await failure(content(client(secret), 'gone')),
      await failure(commitOf('org/none', secret)),
      await failure(client(`${secret}wrong`).commit('org/net', 'main')),
      await failure(
        client(secret, { fetch: () => Promise.reject(new Error(secret)) }).commit('a/b', 'c'),
      ),
    ];
    for (const error of errors) {
      const told = JSON.stringify([error.message, error.stack, error.data, error.cause]);
      expect(told).not.toContain(secret);
      expect(told).not.toContain('Signature');
    }
  });
});
