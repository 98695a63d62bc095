import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { hubSettings } from './hub-settings.js';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hub-settings-'));
});
afterEach(() => rm(home, { recursive: true }));

describe('the cache is', () => {
  test.each([
    [{ HF_HUB_CACHE: '/a/b', HF_HOME: '/c', XDG_CACHE_HOME: '/d' }, '/a/b'],
    [{ HUGGINGFACE_HUB_CACHE: '/a/b', HF_HOME: '/c' }, '/a/b'],
    [{ HF_HOME: '/c', XDG_CACHE_HOME: '/d' }, '/c/hub'],
    [{ XDG_CACHE_HOME: '/d' }, '/d/huggingface/hub'],
    [{ HF_HOME: '~/hf' }, join(homedir(), 'hf/hub')],
    [{ HF_HOME: '' }, join(homedir(), '.cache/huggingface/hub')],
    [{}, join(homedir(), '.cache/huggingface/hub')],
  ])('of %o', async (env, cache) => {
    expect((await hubSettings({ HF_TOKEN: 'x', ...env })).cache).toBe(cache);
  });
});

test('without variables the hub is Hugging Face, and requests may be made', async () => {
  expect(await hubSettings({ HF_HOME: home })).toEqual({
    endpoint: 'https://huggingface.co',
    cache: join(home, 'hub'),
    offline: false,
    copies: false,
    token: null,
  });
});

test.each(['1', 'on', 'Yes', 'TRUE'])('%s means offline, 0 does not', async (value) => {
  expect((await hubSettings({ HF_HOME: home, HF_HUB_OFFLINE: value })).offline).toBe(true);
  expect((await hubSettings({ HF_HOME: home, TRANSFORMERS_OFFLINE: value })).offline).toBe(true);
  expect((await hubSettings({ HF_HOME: home, HF_HUB_OFFLINE: '0' })).offline).toBe(false);
});

test('the address loses the slash at its end, and must be one that can be asked', async () => {
  const at = (HF_ENDPOINT: string) => hubSettings({ HF_HOME: home, HF_ENDPOINT });
  expect((await at('http://127.0.0.1:8080/hf//')).endpoint).toBe('http://127.0.0.1:8080/hf');
  for (const wrong of ['hub.example', 'ftp://hub.example', 'https://me:secret@hub.example']) {
    const error = await at(wrong).catch((e) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).not.toContain('secret');
  }
});

describe('the token', () => {
  test('comes from the variable, else from the file of the login', async () => {
    await writeFile(join(home, 'token'), 'hf_fromFile\n');
    expect((await hubSettings({ HF_HOME: home, HF_TOKEN: ' hf_given ' })).token).toEqual({
      value: 'hf_given',
      source: 'HF_TOKEN',
    });
    expect((await hubSettings({ HF_HOME: home, HF_TOKEN: '' })).token).toEqual({
      value: 'hf_fromFile',
      source: join(home, 'token'),
    });
  });

  test('that no header can carry is refused without being said', async () => {
    const error = await hubSettings({ HF_HOME: home, HF_TOKEN: 'hf_se\ncret' }).catch((e) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/HF_TOKEN/);
    expect(error.message).not.toMatch(/cret/);
  });
});
