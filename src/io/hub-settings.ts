/**
 * Where the hub and its cache are, by the environment variables that Python's huggingface_hub obeys
 * (Node). Source of their meaning: huggingface_hub's `constants.py`.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError } from '../errors.js';

/** Environment variables, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says about the hub. */
export interface HubSettings {
  /** Address of the hub without a slash at its end (`HF_ENDPOINT`). */
  readonly endpoint: string;
  /** Folder of the cache, absolute (`HF_HUB_CACHE`, else `hub` in `HF_HOME`). */
  readonly cache: string;
  /** No request may be made (`HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`). */
  readonly offline: boolean;
  /** Snapshots hold copies instead of links (`HF_HUB_DISABLE_SYMLINKS`). */
  readonly copies: boolean;
  /** Null when nobody is logged in. */
  readonly token: HubToken | null;
}

/** A secret, and where it came from; messages may name the second only. */
export interface HubToken {
  readonly value: string;
  readonly source: string;
}

const HUB = 'https://huggingface.co';

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').toUpperCase());
}

/** An absolute path; `~` is the home folder also where no shell has replaced it. */
function folder(path: string): string {
  return resolve(path.replace(/^~(?=$|[\\/])/, () => homedir()));
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    // The text is not repeated: it may hold a password.
    throw new ConfigError(
      `HF_ENDPOINT must be an address such as ${HUB}: http or https, without a user or a query.`,
    );
  }
  return text.replace(/\/+$/, '');
}

async function tokenOf(env: Environment, home: string): Promise<HubToken | null> {
  const file = join(home, 'token');
  const given = (env.HF_TOKEN ?? '').trim();
  const value = given || (await readFile(file, 'utf8').catch(() => '')).trim();
  if (!value) return null;
  const source = given ? 'HF_TOKEN' : file;
  // A header with other characters is refused by fetch, in a message that repeats the token.
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigError(`The hub's token in ${source} has characters that no token has.`);
  }
  return { value, source };
}

/**
 * Reads the settings.
 * @throws ConfigError when the address or the token cannot be one
 */
export async function hubSettings(env: Environment): Promise<HubSettings> {
  const home = folder(
    env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'),
  );
  return {
    endpoint: endpointOf(env.HF_ENDPOINT || HUB),
    cache: folder(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub')),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    copies: isTrue(env.HF_HUB_DISABLE_SYMLINKS),
    token: await tokenOf(env, home),
  };
}
