/**
 * Runs in the page of a report, not in Node: these functions are written into it as text, so they
 * must not use anything from outside their bodies.
 */

/** Lets the heads of tables with `data-sortable` sort their rows. */
export function sortTables(): void {
  for (const table of document.querySelectorAll<HTMLTableElement>('table[data-sortable]')) {
    const body = table.tBodies[0]!;
    const heads = [...table.querySelectorAll<HTMLElement>('thead th')];
    heads.forEach((head, column) => {
      head.querySelector('button')!.addEventListener('click', () => {
        const before = head.getAttribute('aria-sort');
        // Numbers come largest first, names from A; a second click turns round.
        const first = head.classList.contains('number') ? 'descending' : 'ascending';
        const turned = before === 'ascending' ? 'descending' : 'ascending';
        const order = before ? turned : first;
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', order);
        const sign = order === 'ascending' ? 1 : -1;
        const rows = [...body.rows].map((row) => {
          const cell = row.cells[column]!;
          return { row, value: cell.dataset.value, text: cell.textContent ?? '' };
        });
        rows.sort((a, b) =>
          a.value !== undefined && b.value !== undefined
            ? sign * (Number(a.value) - Number(b.value))
            : sign * a.text.localeCompare(b.text, undefined, { numeric: true }),
        );
        body.append(...rows.map((r) => r.row));
      });
    });
  }
}

/** Paints the confusion matrix of many classes, and reads out the cell under the pointer. */
export function paintMatrix(): void {
  const canvas = document.querySelector<HTMLCanvasElement>('.matrix-canvas');
  const block = document.getElementById('matrix-data');
  const readout = document.getElementById('matrix-readout');
  if (!canvas || !block || !readout) return;
  const { names, cells } = JSON.parse(block.textContent ?? '') as {
    names: string[];
    cells: [actual: number, predicted: number, count: number][];
  };
  const totals = names.map(() => 0);
  for (const [t, , n] of cells) totals[t]! += n;
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const context = canvas.getContext('2d')!;
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const [t, p, n] of cells) {
      const rgb = style.getPropertyValue(t === p ? '--right-rgb' : '--wrong-rgb').trim();
      context.fillStyle = `rgb(${rgb} / ${0.2 + (0.8 * n) / totals[t]!})`;
      context.fillRect(p, t, 1, 1);
    }
  };
  paint();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
  const counts = new Map(cells.map(([t, p, n]) => [t * names.length + p, n]));
  canvas.addEventListener('pointermove', (event) => {
    const box = canvas.getBoundingClientRect();
    const at = (share: number) =>
      Math.min(Math.max(Math.floor(share * names.length), 0), names.length - 1);
    const t = at((event.clientY - box.top) / box.height);
    const p = at((event.clientX - box.left) / box.width);
    const n = counts.get(t * names.length + p) ?? 0;
    readout.textContent = `${names[t]} taken for ${names[p]}: ${n} of ${totals[t]}`;
  });
}
