import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HubServer, startHub } from '../../test/support/hub-server.js';
import { ConfigError, type HubError } from '../errors.js';
import { type BaseOptions, resolveBase } from './hub-base.js';

let hub: HubServer;
let root: string;

beforeEach(async () => {
  hub = await startHub();
  root = await mkdtemp(join(tmpdir(), 'hub-base-'));
});
afterEach(async () => {
  await hub.close();
  await rm(root, { recursive: true });
});

const embedded = new Map([['vision-small', '/package/bases/vision-small']]);

function find(base: string, options: BaseOptions = {}) {
  const env = { HF_HOME: join(root, 'hf'), HF_ENDPOINT: hub.url };
  return resolveBase(base, { embedded, env, delay: async () => {}, ...options });
}

const failure = (promise: Promise<unknown>): Promise<HubError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

const model = {
  'config.json': '{}',
  'preprocessor_config.json': '{}',
  'model.safetensors': { content: 'new format', lfs: true },
  'pytorch_model.bin': { content: 'old format', lfs: true },
  'onnx/model.onnx': { content: 'another', lfs: true },
};

describe('on this machine', () => {
  test('a folder, an .onnx file, an embedded base', async () => {
    await mkdir(join(root, 'net'));
    await writeFile(join(root, 'net.onnx'), '');
    expect(await find(join(root, 'net'))).toEqual({ kind: 'folder', path: join(root, 'net') });
    expect(await find(join(root, 'net.onnx'))).toEqual({
      kind: 'onnx',
      path: join(root, 'net.onnx'),
    });
    expect(await find('graft/vision-small')).toEqual({
      kind: 'folder',
      path: '/package/bases/vision-small',
    });
    // Relative to where the program runs, and before the hub is asked.
    expect(await find('src/io')).toEqual({ kind: 'folder', path: join(process.cwd(), 'src/io') });
    expect(hub.requests).toEqual([]);
  });

  test.each([
    ['a path that is not there', () => join(root, 'ne'), /Did you mean 'net'/],
    ['an .onnx file that is not there', () => join(root, 'nt.onnx'), /Did you mean 'net.onnx'/],
    ['a path in no folder', () => join(root, 'no/net.onnx'), /There is no folder .*no,/],
    ['a file of another kind', () => join(root, 'net.pth'), /is a file, but no \.onnx/],
    ['a misspelt embedded base', () => 'graft/visionsmall', /Did you mean 'graft\/vision-small'/],
    ['a property that every object has', () => 'graft/constructor', /no embedded base/],
    ['nothing', () => '', /'' is no base/],
  ])('%s', async (_, base, text) => {
    await mkdir(join(root, 'net'));
    await writeFile(join(root, 'net.onnx'), '');
    await writeFile(join(root, 'net.pth'), '');
    const error = await failure(find(base()));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(text);
    expect(hub.requests).toEqual([]);
  });
});

describe('on the hub', () => {
  test('the weights come in one format, with the small files', async () => {
    const commit = hub.push('org/net', model);
    const found = await find('org/net');
    const snapshots = join(root, 'hf/hub/models--org--net/snapshots');
    expect(found).toEqual({ kind: 'hub', path: join(snapshots, commit) });
    expect((await readdir(found.path)).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'preprocessor_config.json',
    ]);
  });

  test('a revision stands behind an @, other files may be asked for', async () => {
    hub.push('org/net', model);
    const commit = hub.push('org/net', { ...model, 'config.json': '{"v":2}' }, { branch: 'v2/x' });
    const found = await find('org/net@v2/x', { files: ['*.onnx'] });
    expect(found.path.endsWith(commit)).toBe(true);
    expect(await readdir(found.path)).toEqual(['onnx']);
    expect((await find(`org/net@${commit}`)).path).toBe(found.path);
  });

  test('a misspelt name gets the nearest that is known', async () => {
    hub.push('org/net', model);
    await find('org/net');
    const misspelt = await failure(find('org/nett'));
    expect(misspelt.code).toBe('hub-not-found');
    expect(misspelt.message).toMatch(/spelling.*Did you mean 'org\/net'/);
    expect((await failure(find('net'))).message).toMatch(/Did you mean 'org\/net'.*organization/);
    expect((await failure(find('visionsmall'))).message).toMatch(/'graft\/vision-small'/);
    expect((await failure(find('org/net@../x'))).message).toMatch(/no revision/);
    expect((await failure(find('org/net@'))).message).toMatch(/no revision/);
  });

  test('offline it comes from the cache', async () => {
    hub.push('org/net', model);
    const { path } = await find('org/net');
    await hub.close();
    const env = { HF_HOME: join(root, 'hf'), HF_HUB_OFFLINE: '1' };
    expect(await find('org/net', { env })).toEqual({ kind: 'hub', path });
    expect((await failure(find('org/other', { env }))).code).toBe('hub-offline');
  });
});
