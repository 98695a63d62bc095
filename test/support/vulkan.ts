/** A Vulkan driver in software, so that GPU code is tested on machines without a GPU. */
import { existsSync } from 'node:fs';

/** Where Debian's chromium package puts the description of its SwiftShader driver. */
const DEBIAN = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** The driver's file, or why there is none. */
export function softwareVulkan(): { path: string | null; reason: string } {
  const path = process.env.SWIFTSHADER_ICD ?? DEBIAN;
  if (process.platform !== 'linux') return { path: null, reason: 'skipped, tried on Linux only' };
  return existsSync(path)
    ? { path, reason: '' }
    : { path: null, reason: `skipped, no ${path} (Debian: apt install chromium libvulkan1)` };
}

/** Makes Vulkan use that driver in this process; returns the way back. */
export function useSoftwareVulkan(): () => void {
  const names = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = softwareVulkan().path ?? '';
  return () => {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
  };
}
