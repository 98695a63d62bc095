/** The page of the runtime contract: runs the cases on one runtime and reports them as JSON. */
import { GraftError } from '../../src/errors.js';
import { type WebRuntimeOptions, webRuntime } from '../../src/runtime/ort-web.js';
import { runtimeCases } from '../contract/runtime.js';

/** What became of one case. */
export interface CaseReport {
  readonly error: string | null;
  readonly values: readonly number[] | null;
}

const options = (given: WebRuntimeOptions): WebRuntimeOptions => ({
  wasmPaths: new URL('/ort/', location.href).href,
  ...given,
});

/** What tests call through the page. */
export const graftTest = {
  async contract(given: WebRuntimeOptions): Promise<Record<string, CaseReport>> {
    const runtime = await webRuntime(options(given));
    const reports: Record<string, CaseReport> = {};
    for (const { name, run } of runtimeCases) {
      try {
        const values = await run(runtime);
        reports[name] = { error: null, values: values ?? null };
      } catch (error) {
        reports[name] = {
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          values: null,
        };
      }
    }
    return reports;
  },

  /** The code and message of the error that each runtime of the list gives, or its device. */
  async open(list: readonly WebRuntimeOptions[]): Promise<string[]> {
    const outcomes: string[] = [];
    for (const given of list) {
      try {
        const { device, threads } = await webRuntime(options(given));
        outcomes.push(`${device} ${threads}`);
      } catch (error) {
        outcomes.push(
          error instanceof GraftError ? `${error.code}: ${error.message}` : String(error),
        );
      }
    }
    return outcomes;
  },
};

Object.assign(globalThis, { graftTest });
