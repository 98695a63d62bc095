/**
 * Completes package-lock.json with the optional packages of platforms that the registry in use does
 * not carry. A partial mirror leaves them out when the lock file is written, and `npm ci` of npm 11
 * then refuses the file on every machine ("Missing: ... from lock file"). An entry without an
 * integrity is legal; npm adds it when the lock file is next written from a full registry.
 *
 * `--check` fails instead of writing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
const { packages } = lock;
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];
const added = [];

for (const [at, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (packages[`${at}/node_modules/${name}`] || packages[`node_modules/${name}`]) continue;
    // Platform packages are named for their platform, and pinned exactly by their parent.
    const words = name.split(/[/-]/);
    const os = systems.filter((s) => words.includes(s));
    const cpu = processors.filter((p) => words.includes(p));
    if (os.length !== 1 || cpu.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) {
      throw new Error(
        `${at} wants ${name}@${version}, which is not a platform package; run npm install.`,
      );
    }
    const libc = words.includes('musl') ? ['musl'] : os[0] === 'linux' ? ['glibc'] : undefined;
    packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc } : {}),
      optional: true,
      os,
    };
    added.push(`${name}@${version}`);
  }
}

if (added.length > 0) {
  if (process.argv.includes('--check')) {
    console.error(`package-lock.json lacks ${added.join(', ')}; run npm run gen:lock.`);
    process.exitCode = 1;
  } else {
    // npm's own order: the root first, then by path.
    lock.packages = Object.fromEntries(
      Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
    );
    writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
    console.log(`package-lock.json: added ${added.join(', ')}`);
  }
}
