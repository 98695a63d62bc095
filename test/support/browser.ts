/** A headless Chromium, a page in it that holds a bundled test module, and a server for both. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';

const root = fileURLToPath(new URL('../../', import.meta.url));
const output = join(root, '.cache/browser');
const wasmFiles = join(root, 'node_modules/onnxruntime-web/dist');

/** The browser's program, or why there is none. */
export function findChromium(): { path: string | null; reason: string } {
  const path = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return existsSync(path)
    ? { path, reason: '' }
    : { path: null, reason: `skipped, no ${path} (set CHROMIUM, or apt install chromium)` };
}

const BASE_FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** WebGPU computed by the processor: slow, but the same shaders as on a GPU. */
const SOFTWARE_GPU_FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

const pageHtml = (script: string) =>
  `<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,"><script type="module" src="/bundle/${script}"></script>`;

/** Serves the bundles, ONNX Runtime's files and one page, isolated or not. */
function serve(script: string): Server {
  return createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/') {
      response.setHeader('Content-Type', 'text/html');
      if (!searchParams.has('shared')) {
        response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
        response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
      }
      response.end(pageHtml(script));
      return;
    }
    const [, folder, ...rest] = normalize(pathname).split('/');
    const base = folder === 'bundle' ? output : folder === 'ort' ? wasmFiles : null;
    const file = base && join(base, ...rest);
    if (!file || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('Content-Type', types[extname(file)] ?? 'application/octet-stream');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    createReadStream(file).pipe(response);
  });
}

/** A browser with a server behind it. */
export class TestBrowser {
  private readonly browser: Browser;
  private readonly server: Server;

  private constructor(browser: Browser, server: Server) {
    this.browser = browser;
    this.server = server;
  }

  /**
   * Bundles a module and starts both.
   * @param entry module for the page, from the root of the project
   */
  static async open(entry: string): Promise<TestBrowser> {
    const name = entry.replace(/\W+/g, '-').replace(/-ts$/, '');
    await build({
      entryPoints: { [name]: join(root, entry) },
      outdir: output,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2023',
      logLevel: 'error',
    });
    const server = serve(`${name}.js`);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const browser = await chromium.launch({
        executablePath: findChromium().path!,
        headless: true,
        args: [...BASE_FLAGS, ...SOFTWARE_GPU_FLAGS],
      });
      return new TestBrowser(browser, server);
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /**
   * A fresh page, so with an ONNX Runtime of its own, once its module has run.
   * @param options.isolated whether the page may share memory between threads
   */
  async page({ isolated = true } = {}): Promise<Page> {
    const page = await this.browser.newPage();
    const { port } = this.server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/${isolated ? '' : '?shared'}`);
    await page.waitForFunction(() => 'graftTest' in globalThis);
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }
}
