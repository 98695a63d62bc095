/** What a hub's refusal means for the person who asked, and what to do. No message holds a token. */
import { HubError } from '../errors.js';
import type { HubSettings } from './hub-settings.js';

/** What a request was for. */
export interface HubRequest {
  readonly repo: string;
  readonly revision: string;
  /** The file, when it was for one. */
  readonly path?: string;
}

/** `org/name@revision`, with the file if there is one. */
export function nameOf({ repo, revision, path }: HubRequest): string {
  return `${path ? `'${path}' of ` : ''}${repo}${revision === 'main' ? '' : `@${revision}`}`;
}

/** Where a file was served from; without the query, in which storage hosts carry signatures. */
function placeOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** The error for a status other than success, by the headers that the hub explains it with. */
export function statusError(
  request: HubRequest,
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  { endpoint, token }: HubSettings,
): HubError {
  const { repo, revision } = request;
  const what = nameOf(request);
  const code = headers.get('x-error-code');
  const wrongToken = /invalid credentials/i.test(headers.get('x-error-message') ?? '');
  const login = `log in at ${endpoint}, make a token (settings, "access tokens") and set HF_TOKEN to it`;
  const said = (kind: string, text: string) =>
    new HubError(kind, `${what}: ${text}`, { ...request, status });

  if (code === 'GatedRepo') {
    const accept = `accept its terms at ${endpoint}/${repo}`;
    return said(
      'hub-gated',
      token
        ? `this model is gated, and the account of the token in ${token.source} may not read it. ` +
            `Log in with that account, ${accept}, wait for approval if its authors ask for it, then try again.`
        : `this model is gated. To read it ${login}, and ${accept}.`,
    );
  }
  if (status === 401 && token && wrongToken) {
    return said(
      'hub-refused',
      `the hub refuses the token in ${token.source}: it is mistyped, expired or revoked. ` +
        'Make a new one, or remove it (public models need none).',
    );
  }
  if (code === 'RevisionNotFound') {
    return said(
      'hub-no-revision',
      `${repo} has no branch, tag or commit '${revision}'. The ones it has: ${endpoint}/${repo}/refs.`,
    );
  }
  if (code === 'EntryNotFound' || (status === 404 && request.path && !code)) {
    return said('hub-no-file', 'the hub lists this file but does not serve it. Try again later.');
  }
  if (status === 404 || status === 401 || code === 'RepoNotFound') {
    return said(
      'hub-not-found',
      `there is no such model at ${endpoint}, or it is private. Check the spelling (organization/name). ` +
        (token
          ? `If it is private, the account of the token in ${token.source} must be allowed to read it.`
          : `If it is private, ${login}.`),
    );
  }
  if (status === 403) {
    return said(
      'hub-refused',
      token
        ? `the hub forbids it (403): the token in ${token.source} lacks the right to read this model, or the model is disabled.`
        : `the hub forbids it (403). If you may read this model, ${login}.`,
    );
  }
  if (status === 429) {
    return said(
      'hub-unreachable',
      `the hub asks for fewer requests (429). Wait a few minutes${token ? '' : ', or set HF_TOKEN, which raises the limit'}.`,
    );
  }
  if (status >= 500 || status === 408) {
    return said(
      'hub-unreachable',
      `the hub at ${endpoint} has a fault (${status}). Try again later.`,
    );
  }
  return said(
    'hub-answer',
    `the hub answered with status ${status}, which is not understood here.`,
  );
}

/** Codes of a failed connection, such as ECONNREFUSED; other texts may hold addresses and are left out. */
function faultOf(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as { name?: string; code?: unknown; cause?: unknown };
  if (name === 'TimeoutError') return 'nothing came for too long';
  if (typeof code === 'string' && /^[A-Z0-9_]+$/.test(code)) return code;
  return cause ? faultOf(cause) : 'the connection broke';
}

/** The error for a connection that could not be made or kept. */
export function unreachable(request: HubRequest, url: string, error: unknown): HubError {
  return new HubError(
    'hub-unreachable',
    `${nameOf(request)}: no connection to ${placeOf(url)} (${faultOf(error)}), after several tries. ` +
      'Check the network, a proxy, and HF_ENDPOINT if it is set. What was downloaded is kept and continued.',
    { ...request },
  );
}

/** The error for an answer that no hub gives. */
export function notAHub(request: HubRequest, { endpoint }: HubSettings, detail: string): HubError {
  return new HubError(
    'hub-answer',
    `${nameOf(request)}: ${endpoint} does not answer as a model hub does (${detail}). ` +
      'Check HF_ENDPOINT, and whether a proxy or a login page stands between.',
    { ...request },
  );
}

/** A fault of the disk that the cache is on, said with what to do; other errors as they are. */
export function diskFault(error: unknown, request: HubRequest, cache: string): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  if (!full && !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'].includes(code ?? '')) return error;
  return new HubError(
    'hub-cache',
    `${nameOf(request)}: the cache ${cache} ${full ? 'has no room left' : 'cannot be written to'} ` +
      `(${code}). ${full ? 'Make room, or set' : 'Set'} HF_HUB_CACHE to another folder.`,
    { ...request, cache },
    { cause: error },
  );
}
