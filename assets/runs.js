/* The table of runs: the next order of a column, the drawer of one run, and a run that comes in from a file. */
(function () {
  'use strict';
  const dash = window.dash_clientside = window.dash_clientside || {};
  const DRAWER = 'training-run-drawer', SORT = 'training-runs-sort-state', TAKEN = 'training-import-state';
  const MOST = 30000000; /* as ml/publishing/run_archive.py UPLOAD_BYTES; a test compares */
  const tell = (data) => dash.set_props(TAKEN, { data: { ...data, at: Date.now() } });

  dash.runs = {
    open: (asked) => (asked && asked.act === 'details' ? asked.of : dash.no_update),
    slide: (opened) => (opened ? 'drawer open' : 'drawer'),
    close: (clicks) => (clicks ? null : dash.no_update),
  };

  /* a column's first click sorts best first, the second turns it round, the third gives the usual order back */
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-sort]');
    if (!button) return;
    const falling = button.dataset.falling === 'true';
    const now = button.closest('th').getAttribute('aria-sort');
    const first = falling ? 'descending' : 'ascending';
    const data = !now ? { by: button.dataset.sort, down: falling }
      : now === first ? { by: button.dataset.sort, down: !falling } : null;
    dash.set_props(SORT, { data: data });
  });

  /* the drawer takes the focus when it opens and gives it back when it closes */
  let opener = null;
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-act=details]');
    if (button) opener = button;
  }, true);
  new MutationObserver((records) => {
    for (const { target, oldValue } of records) {
      if (target.id !== DRAWER) continue;
      const before = (oldValue || '').includes('open'), after = target.classList.contains('open');
      if (after && !before) target.querySelector('[data-close]').focus({ preventScroll: true });
      if (before && !after && opener && document.contains(opener)) opener.focus({ preventScroll: true });
    }
  }).observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ['class'], attributeOldValue: true });

  let parcel = null;
  async function send(file, name) {
    parcel = file;
    if (file.size > MOST) {
      tell({ words: `${file.name} has ${(file.size / 1e6).toFixed(1)} MB; a run may have up to ${MOST / 1e6} MB here. ` +
        'Larger ones: python -m ml import FILE.' });
      return;
    }
    tell({ words: `Taking in ${file.name} …` });
    const form = new FormData();
    form.append('file', file);
    if (name) form.append('name', name);
    try {
      const answer = await fetch(window.dash_clientside.address.of('/api/v1/runs'), { method: 'POST', body: form });
      tell(await answer.json());
    } catch (error) {
      tell({ words: 'The server did not answer, so nothing was taken in.' });
    }
  }

  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-import],button[data-import-again]');
    if (!button) return;
    if (button.hasAttribute('data-import-again')) {
      const name = document.getElementById('training-import-name').value.trim();
      if (parcel && name) send(parcel, name);
      return;
    }
    const input = document.createElement('input');
    input.type = 'file';
    input.accept = '.zip,application/zip';
    input.addEventListener('change', () => { if (input.files[0]) send(input.files[0]); });
    input.click();
  });
})();
