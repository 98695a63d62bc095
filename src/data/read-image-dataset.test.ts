import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  randomPicture,
  temporaryFolder,
  writeFiles,
  writePictures,
} from '../../test/support/pictures.js';
import { DataError, GraftError } from '../errors.js';
import { type ReadImageOptions, readImageDataset } from './read-image-dataset.js';

const folders: { remove: () => void }[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

function empty(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder.path;
}

const names = (folder: string, n: number, ending = 'png') =>
  Array.from({ length: n }, (_, i) => `${folder}/${String(i).padStart(2, '0')}.${ending}`);

/** Class folders of different pictures. */
async function classFolders(counts: Record<string, number>, root = empty()): Promise<string> {
  await writePictures(
    root,
    Object.entries(counts).flatMap(([folder, n]) => names(folder, n)),
  );
  return root;
}

const ids = (samples: readonly { id: string }[]) => samples.map((s) => s.id);

/** The error that reading ends with. */
async function failure(path: string, options?: ReadImageOptions): Promise<GraftError> {
  const error = await readImageDataset(path, options).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(GraftError);
  return error as GraftError;
}

describe('class folders', () => {
  test('are split, a fifth of each class, by the seed', async () => {
    const root = await classFolders({ cat: 10, dog: 20 });
    const data = await readImageDataset(root, { seed: 3 });
    expect(data.classes).toEqual(['cat', 'dog']);
    expect([data.train.length, data.valid.length, data.test.length]).toEqual([24, 6, 0]);
    expect(data.valid.filter((s) => s.label === 0)).toHaveLength(2);
    expect(data.split).toBe('20 % of each class by seed 3: 24 to train, 6 to validate');
    expect(data.skipped).toEqual([]);
    expect([...ids(data.train), ...ids(data.valid)].sort()).toEqual([
      ...names('cat', 10),
      ...names('dog', 20),
    ]);
    const again = await readImageDataset(root, { seed: 3, concurrency: 1 });
    expect(again).toEqual(data);
    expect(ids((await readImageDataset(root, { seed: 4 })).valid)).not.toEqual(ids(data.valid));
    expect((await readImageDataset(root, { valid: 0.5 })).valid).toHaveLength(15);
  });

  test('give the same split under another path', async () => {
    const root = await classFolders({ a: 12, b: 12 });
    const copy = join(empty(), 'elsewhere');
    cpSync(root, copy, { recursive: true });
    const [one, two] = [await readImageDataset(root), await readImageDataset(copy)];
    expect(ids(two.valid)).toEqual(ids(one.valid));
  });

  test('sort by code point, and take pictures from deeper folders', async () => {
    const root = await classFolders({
      b: 2,
      B2: 2,
      ä: 2,
      '\u{1F41C}': 2,
      '\uFF21': 2,
      'a/deep/er': 2,
    });
    const { classes } = await readImageDataset(root);
    expect(classes).toEqual(['B2', 'a', 'b', 'ä', '\uFF21', '\u{1F41C}']);
  });

  test('near-duplicates and groups stay together, and the text says so', async () => {
    const root = empty();
    const size = { width: 160, height: 120 };
    await writePictures(root, [...names('a', 10), ...names('b', 10)], size);
    for (const i of [0, 3, 5]) {
      const copy = randomPicture(size.width, size.height, 1 + i).resize(100, 75);
      writeFiles(root, { [`a/copy ${i}.jpg`]: await copy.jpeg({ quality: 80 }).toBuffer() });
    }
    for (let seed = 0; seed < 4; seed++) {
      const { valid, split } = await readImageDataset(root, { seed });
      expect(split).toMatch(/; 6 near-duplicates kept together$/);
      const chosen = new Set(ids(valid));
      for (const i of [0, 3, 5])
        expect(chosen.has(`a/copy ${i}.jpg`)).toBe(chosen.has(`a/0${i}.png`));
    }
    const { train, valid, split } = await readImageDataset(root, { groupBy: /(\d)\.\w+$/ });
    expect(split).toMatch(/10 groups and 6 near-duplicates kept together/);
    const groups = (samples: typeof train) => new Set(samples.map((s) => s.group));
    for (const g of groups(valid)) expect(groups(train).has(g)).toBe(false);
  });

  test('valid: 0 validates nothing; split: false takes the data as it lies', async () => {
    const root = await classFolders({ a: 3, b: 2 });
    const none = await readImageDataset(root, { valid: 0 });
    expect([none.train.length, none.valid.length, none.split]).toEqual([
      5,
      0,
      '5 to train, nothing to validate, as asked',
    ]);
    mkdirSync(join(root, 'c'));
    const plain = await readImageDataset(root, { split: false });
    expect([plain.train.length, plain.valid.length, plain.classes]).toEqual([5, 0, ['a', 'b']]);
    const one = await classFolders({ only: 2 });
    expect((await readImageDataset(one, { split: false })).classes).toEqual(['only']);
  });
});

describe('parts', () => {
  test('are taken by any of their names', async () => {
    for (const [train, valid, test] of [
      ['train', 'valid', 'test'],
      ['Training', 'val', 'testing'],
      ['train', 'validation', 'test'],
    ]) {
      const root = await classFolders({
        [`${train}/a`]: 3,
        [`${train}/b`]: 3,
        [`${valid}/a`]: 1,
        [`${valid}/b`]: 2,
        [`${test}/a`]: 2,
      });
      writeFiles(root, { 'README.md': 'words', [`${train}/LICENSE`]: 'words' });
      await writePictures(root, ['figure.png'], { from: 90 });
      const data = await readImageDataset(root);
      expect([data.train.length, data.valid.length, data.test.length]).toEqual([6, 3, 2]);
      expect(data.classes).toEqual(['a', 'b']);
      expect(data.split).toBe('parts of the data itself: 6 to train, 3 to validate');
      expect(data.skipped).toEqual([
        { id: 'figure.png', reason: 'lies beside the parts of the data set' },
      ]);
    }
  });

  test('without a valid part it is split off, and the test part stays', async () => {
    const root = await classFolders({ 'train/a': 5, 'train/b': 5, 'test/a': 2, 'test/b': 2 });
    const data = await readImageDataset(root);
    expect([data.train.length, data.valid.length, data.test.length]).toEqual([8, 2, 4]);
  });

  test('other data can be validated on, and a share that is not needed is mentioned', async () => {
    const root = await classFolders({ a: 3, b: 3 });
    const other = await classFolders({ a: 2 });
    const data = await readImageDataset(root, { valid: other });
    expect([data.train.length, data.valid.length]).toEqual([6, 2]);
    expect(data.split).toContain(
      `validation part from ${other}: 6 to train, 2 to validate; nothing to validate of b`,
    );
    expect(data.valid[0]!.file.startsWith(other)).toBe(true);
    const own = await classFolders({ 'train/a': 3, 'train/b': 3, 'valid/a': 1, 'valid/b': 1 });
    expect((await readImageDataset(own, { valid: 0.5 })).split).toMatch(
      /2 to validate; the share 0.5 was not needed/,
    );
    expect((await readImageDataset(root, { valid: own })).valid).toHaveLength(2);
  });

  test('classes that only the valid part has, and data without a training part, are refused', async () => {
    const root = await classFolders({ 'train/a': 2, 'train/b': 2, 'valid/a': 1, 'valid/c': 1 });
    const error = await failure(root);
    expect([error.code, error.message]).toEqual([
      'class-sets',
      expect.stringMatching(/valid part has the class c.*\(it has a, b\)/),
    ]);
    expect(
      (await failure(await classFolders({ a: 2, b: 2 }), { valid: await classFolders({ z: 1 }) }))
        .code,
    ).toBe('class-sets');
    const lost = await failure(await classFolders({ 'valid/a': 2, 'test/a': 2 }));
    expect([lost.code, lost.message]).toEqual([
      'no-train-part',
      expect.stringMatching(/test and valid, but no folder train/),
    ]);
    // Beside other folders such a name is a class.
    expect((await readImageDataset(await classFolders({ test: 4, exam: 4 }))).classes).toEqual([
      'exam',
      'test',
    ]);
  });
});

describe('what is no use', () => {
  test('hidden files, other files and links that lead out are listed with their reason', async () => {
    const root = await classFolders({ a: 4, b: 4 });
    const outside = await classFolders({ x: 1 });
    writeFiles(root, {
      '.DS_Store': '',
      'a/._00.png': '',
      'a/notes.txt': 'x',
      'Thumbs.db': '',
      '.git/config': '',
      'README.md': 'words beside the classes are not meant as data',
    });
    await writePictures(root, ['stray.png'], { from: 90 });
    symlinkSync(join(outside, 'x/00.png'), join(root, 'a/stolen.png'));
    symlinkSync(outside, join(root, 'b/more'));
    symlinkSync(join(root, 'a/00.png'), join(root, 'b/linked.png'));
    symlinkSync(join(root, 'a'), join(root, 'again'));
    symlinkSync(join(root, 'gone'), join(root, 'a/broken.png'));
    const { skipped, train, valid } = await readImageDataset(root);
    expect(Object.fromEntries(skipped.map((s) => [s.id, s.reason]))).toEqual({
      '.DS_Store': 'hidden file',
      '.git': 'hidden file',
      'Thumbs.db': 'hidden file',
      'a/._00.png': 'hidden file',
      'a/notes.txt': 'not a picture by its name',
      'stray.png': 'not in a class folder',
      'a/stolen.png': 'link that leads out of the data set',
      'b/more': 'link that leads out of the data set',
      'a/broken.png': 'link to nothing',
      again: 'link to a folder of the data set',
    });
    expect([...ids(train), ...ids(valid)]).toContain('b/linked.png');
    expect((await readImageDataset(root, { strict: true })).train.length).toBe(train.length);
  });

  test('damaged pictures are left out and listed, or with strict an error that names them', async () => {
    const root = await classFolders({ a: 6, b: 6 });
    const whole = readFileSync(join(root, 'a/00.png'));
    writeFileSync(join(root, 'a/00.png'), whole.subarray(0, whole.length / 2));
    writeFileSync(join(root, 'b/05.png'), 'no picture at all');
    const data = await readImageDataset(root);
    expect(data.skipped.map((s) => s.id)).toEqual(['a/00.png', 'b/05.png']);
    expect(data.skipped[1]!.reason).toMatch(/no picture that is known/);
    expect(data.train.length + data.valid.length).toBe(10);
    const error = await failure(root, { strict: true });
    expect(error.code).toBe('unusable-files');
    expect(error.message).toMatch(
      /^2 of the files cannot be used:\n {2}a\/00\.png: .*\n {2}b\/05\.png: /,
    );
    expect(error.data.skipped).toHaveLength(2);
  });

  test('nothing to learn from is refused by its reason', async () => {
    expect((await failure(join(empty(), 'none'))).message).toMatch(/There is no file or folder/);
    expect((await failure(empty())).code).toBe('no-data');
    const text = empty();
    writeFiles(text, { 'a/x.txt': '1', 'a/y.txt': '2' });
    expect((await failure(text)).message).toMatch(
      /no usable picture in .* \(left out: 2 x not a picture by its name\)/,
    );
    const one = await failure(await classFolders({ only: 3 }));
    expect([one.code, one.message]).toEqual([
      'one-class',
      expect.stringMatching(/one class only, "only"/),
    ]);

    const hollow = await classFolders({ a: 3, b: 3 });
    mkdirSync(join(hollow, 'hollow'));
    const unfilled = await failure(hollow);
    expect([unfilled.code, unfilled.message]).toEqual([
      'empty-class',
      expect.stringMatching(/no usable picture in hollow/),
    ]);
    const broken = await classFolders({ a: 3, b: 3 });
    writeFiles(broken, { 'c/1.png': 'broken', 'c/2.jpg': '' });
    expect((await failure(broken)).message).toMatch(/no usable picture in c\./);
    const unpart = await classFolders({ 'train/a': 2, 'train/b': 2, 'valid/a': 1 });
    mkdirSync(join(unpart, 'train/c'));
    expect((await failure(unpart)).code).toBe('empty-class');
  });

  test('names that differ by case or by accents only are refused', async () => {
    const listed = await classFolders({ x: 4 });
    writeFiles(listed, { 'l.csv': 'file,label\nx/00.png,Cat\nx/01.png,cat\nx/02.png,dog\n' });
    expect((await failure(join(listed, 'l.csv'))).message).toMatch(/"Cat" and "cat" differ only/);
    writeFiles(listed, { 'l.csv': 'file,label\nx/00.png,caf\u00e9\nx/01.png,cafe\u0301\n' });
    expect((await failure(join(listed, 'l.csv'))).code).toBe('class-case');
  });

  test('shares outside of [0, 1) and groups by a column that is not there are refused', async () => {
    const root = await classFolders({ a: 2, b: 2 });
    for (const valid of [1, -0.1, Number.NaN])
      expect((await failure(root, { valid })).code).toBe('config');
    expect((await failure(root, { groupBy: 'person' })).message).toMatch(/no column person/);
  });
});

describe('lists', () => {
  const table = async (rows: string, name = 'list.csv') => {
    const root = await classFolders({ p: 8 });
    writeFiles(root, { [name]: rows });
    return { root, list: join(root, name) };
  };

  test('CSV with quotes, a byte order mark, spaces and capitals in its head', async () => {
    const { list } = await table(
      '\uFEFF File , Label\r\n"p/00.png","big, cat"\r\n\r\np/01.png, dog\r\np/02.png,"big, cat"\r\np/03.png,dog\r\n',
    );
    const data = await readImageDataset(list, { valid: 0.5 });
    expect(data.classes).toEqual(['big, cat', 'dog']);
    expect(data.train.length + data.valid.length).toBe(4);
    expect(data.split).toMatch(/^50 %/);
  });

  test('TSV and JSON lines, with parts, groups and number labels in the order of numbers', async () => {
    const rows = Array.from({ length: 8 }, (_, i) => ({
      image: `p/0${i}.png`,
      label: i < 4 ? 10 : 9,
      split: i % 4 === 0 ? 'validation' : 'train',
      group: `g${i}`,
    }));
    const jsonl = await table(rows.map((r) => JSON.stringify(r)).join('\n'), 'list.jsonl');
    const tsv = await table(
      ['path\tlabel\tsplit\tgroup', ...rows.map((r) => Object.values(r).join('\t'))].join('\n'),
      'list.tsv',
    );
    for (const { list } of [jsonl, tsv]) {
      const data = await readImageDataset(list);
      expect(data.classes).toEqual(['9', '10']);
      expect([data.train.length, data.valid.length]).toEqual([6, 2]);
      expect(data.train[0]).toMatchObject({ id: 'p/01.png', label: 1, group: 'g1' });
    }
  });

  test('groups by another column', async () => {
    const rows = Array.from({ length: 8 }, (_, i) => `p/0${i}.png,${i % 2},p${Math.floor(i / 2)}`);
    const { list } = await table(['file,label,Person', ...rows].join('\n'));
    const data = await readImageDataset(list, { groupBy: 'Person' });
    expect(data.split).toMatch(/4 groups kept together/);
    const people = (samples: typeof data.train) => new Set(samples.map((s) => s.group));
    for (const p of people(data.valid)) expect(people(data.train).has(p)).toBe(false);
    expect((await failure(list, { groupBy: 'camera' })).message).toMatch(
      /no column camera to group by; it has file, label, person/,
    );
  });

  test("Hugging Face's imagefolder: metadata at the top or in each part", async () => {
    const root = await classFolders({ 'train/x': 4, 'test/x': 2 });
    const rows = (n: number) =>
      Array.from({ length: n }, (_, i) => `x/0${i}.png,${i % 2 ? 'odd' : 'even'}`);
    for (const [part, n] of [
      ['train', 4],
      ['test', 2],
    ] as const) {
      writeFiles(root, { [`${part}/metadata.csv`]: ['file_name,label', ...rows(n)].join('\n') });
    }
    const data = await readImageDataset(root, { valid: 0 });
    expect([data.classes, data.train.length, data.test.length]).toEqual([['even', 'odd'], 4, 2]);
    const top = await classFolders({ 'train/x': 4, 'test/x': 2 });
    writeFiles(top, {
      'metadata.jsonl': ['train', 'test']
        .flatMap((part) =>
          rows(part === 'train' ? 4 : 2).map((r) =>
            JSON.stringify({ file_name: `${part}/${r.split(',')[0]}`, label: r.split(',')[1] }),
          ),
        )
        .join('\n'),
    });
    const same = await readImageDataset(top, { valid: 0 });
    expect([ids(same.train), ids(same.test)]).toEqual([ids(data.train), ids(data.test)]);
  });

  test('one file twice: listed when the labels agree, refused when they do not', async () => {
    const { list } = await table(
      'file,label\np/00.png,a\np/01.png,b\np/00.png,a\np/02.png,a\np/03.png,b\n',
    );
    const data = await readImageDataset(list);
    expect(data.skipped).toEqual([{ id: 'p/00.png', reason: 'named again in line 4 of list.csv' }]);
    expect((await failure(list, { strict: true })).code).toBe('unusable-files');
    const twice = await table('file,label\np/00.png,a\np/01.png,b\np/./00.png,b\n');
    const error = await failure(twice.list);
    expect([error.code, error.message]).toEqual([
      'label-conflict',
      expect.stringMatching(/p\/00\.png twice with two labels: a in line 2, b in line 4/),
    ]);
  });

  test('rows that name nothing usable are listed; paths do not leave the folder', async () => {
    const outside = await classFolders({ x: 1 });
    const { root, list } = await table(
      `file,label\n../secret.png,a\n${outside}/x/00.png,a\np/none.png,a\np/00.png,\n,a\np/linked.png,b\np/01.png,a\np/02.png,b\np/03.png,a\np/04.png,b\n`,
    );
    symlinkSync(join(outside, 'x/00.png'), join(root, 'p/linked.png'));
    const { skipped, train, valid } = await readImageDataset(list);
    expect(train.length + valid.length).toBe(4);
    const reasons = skipped.map((s) => s.reason);
    expect(reasons).toEqual([
      'lies outside of the folder of the list',
      'lies outside of the folder of the list',
      'there is no such file',
      'has no label in line 5',
      'no file is named',
      'link that leads out of the data set',
    ]);
    // Paths with the folder itself in front are fine.
    writeFiles(root, { 'absolute.csv': `file,label\n${root}/p/00.png,a\n${root}/p/01.png,b\n` });
    expect(
      (await readImageDataset(join(root, 'absolute.csv'), { valid: 0 })).train.map((s) => s.id),
    ).toEqual(['p/00.png', 'p/01.png']);
  });

  test('damaged lists are refused with file and line', async () => {
    const of = async (rows: string, name?: string) =>
      (await failure((await table(rows, name)).list)).message;
    expect(await of('name,class\nx,y\n')).toMatch(
      /has the columns file .* and label; this one has name, class/,
    );
    expect(await of('')).toMatch(/is empty/);
    expect(await of('file,label\np/00.png,a,b\n')).toMatch(/line 2: 3 values for 2 columns/);
    expect(await of('file,label\n"p/00.png,a\n')).toMatch(/list\.csv, line/);
    expect(await of('file,label,split\np/00.png,a,holdout\n')).toMatch(
      /line 2: the split "holdout" is none/,
    );
    expect(await of('{"file":"p/00.png","label":"a"}\n[1]\n', 'list.jsonl')).toMatch(
      /line 2: this is no JSON object/,
    );
    expect(await of('words', 'list.txt')).toMatch(/neither a folder nor a list/);
  });
});

describe('the index', () => {
  test('keeps what was seen; only changed files are looked into again', async () => {
    const root = await classFolders({ a: 5, b: 5 });
    writeFileSync(join(root, 'a/bad.png'), 'nothing');
    const index = join(empty(), 'deep/index');
    const first = await readImageDataset(root, { index });
    const [file] = readdirSync(index);
    const kept = readFileSync(join(index, file!), 'utf8');
    expect(kept.split('\n')).toHaveLength(13); // a head, 11 files, a last line end

    // What is kept is believed: a file with the same size and time is not read again.
    const lied = kept.replace(/^(\["b\/04\.png","[^"]+"),.*$/m, '$1,"said by the index"]');
    writeFileSync(join(index, file!), lied);
    const second = await readImageDataset(root, { index });
    expect(second.skipped).toEqual([
      ...first.skipped,
      { id: 'b/04.png', reason: 'said by the index' },
    ]);
    // A file that was touched is.
    utimesSync(join(root, 'b/04.png'), new Date(), new Date(2020, 1, 1));
    expect((await readImageDataset(root, { index })).skipped).toEqual(first.skipped);
  });

  test('a damaged one is made anew, and none of it changes the result', async () => {
    const root = await classFolders({ a: 5, b: 5 });
    const index = empty();
    const want = await readImageDataset(root);
    await readImageDataset(root, { index });
    const [file] = readdirSync(index);
    const text = readFileSync(join(index, file!), 'utf8');
    for (const broken of [
      '',
      'x',
      text.slice(0, 300),
      text.replace(/"[A-Za-z0-9+/=]{100,}"/, '"AAAA"'),
      text.replaceAll('[', '[null,'),
    ]) {
      writeFileSync(join(index, file!), broken);
      expect(await readImageDataset(root, { index })).toEqual(want);
    }
  });

  test('progress counts every file', async () => {
    const root = await classFolders({ a: 3, b: 4 });
    const seen: string[] = [];
    await readImageDataset(root, { progress: (done, total) => seen.push(`${done}/${total}`) });
    expect(seen).toEqual(['1/7', '2/7', '3/7', '4/7', '5/7', '6/7', '7/7']);
  });
});

test('errors are data errors, which the command line tells from its own', async () => {
  expect(await failure(empty())).toBeInstanceOf(DataError);
});
