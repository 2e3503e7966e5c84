/* The walk through the network: which pixel is pointed at, which map is clicked. The server does the arithmetic. */
(function () {
  'use strict';
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const EVERY = 60; /* ms between two questions */
  let waiting = null, asked = 0;

  function ask(map, row, column) {
    const frame = map.querySelector('i');
    const { rows, columns } = map.dataset;
    if (frame) {
      frame.style.left = (100 * column) / columns + '%';
      frame.style.top = (100 * row) / rows + '%';
    }
    map.dataset.row = row;
    map.dataset.column = column;
    clearTimeout(waiting);
    const news = { of: map.dataset.of, row: row, column: column };
    waiting = setTimeout(() => { asked = performance.now(); set(map.dataset.pixels, { data: news }); },
      Math.max(0, asked + EVERY - performance.now()));
  }

  function point(event) {
    const map = event.target.closest && event.target.closest('[data-pixels]');
    if (!map) return;
    const box = map.getBoundingClientRect();
    const inside = (at, size, count) => Math.min(Math.max(Math.floor((at / size) * count), 0), count - 1);
    const row = inside(event.clientY - box.top, box.height, Number(map.dataset.rows));
    const column = inside(event.clientX - box.left, box.width, Number(map.dataset.columns));
    if (row !== Number(map.dataset.row) || column !== Number(map.dataset.column)) ask(map, row, column);
  }
  document.addEventListener('pointermove', point, { passive: true });
  document.addEventListener('pointerdown', point, { passive: true });

  document.addEventListener('click', (event) => {
    const sheet = event.target.closest && event.target.closest('[data-sheet]');
    if (!sheet) return;
    const box = sheet.getBoundingClientRect();
    const columns = Number(sheet.dataset.columns), rows = Number(sheet.dataset.rows);
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const chosen = row * columns + column;
    if (chosen >= 0 && chosen < Number(sheet.dataset.count)) set(sheet.dataset.sheet, { value: chosen + 1 });
  });

  /* before the drawer's own arrows, which walk from sample to sample */
  document.addEventListener('keydown', (event) => {
    const map = event.target.matches && event.target.matches('[data-pixels]') ? event.target : null;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!map || !step) return;
    event.preventDefault();
    event.stopPropagation();
    const row = Number(map.dataset.row) + step[0], column = Number(map.dataset.column) + step[1];
    if (row >= 0 && row < Number(map.dataset.rows) && column >= 0 && column < Number(map.dataset.columns)) ask(map, row, column);
  }, true);
})();
