/* What the server has nothing to add to: theme, permalinks on buttons, the aurora. No state but the URL and one cookie. */
(function () {
  'use strict';
  const root = document.documentElement;
  const address = window.dash_clientside.address;
  const set = (id, props) => window.dash_clientside.set_props(id, props);

  /* theme: the cookie is read by the server too, so figures and page come in one colour from the first byte on */
  const cookie = document.cookie.match(/(?:^|; )theme=(light|dark)/);
  function applyTheme(mode, keep) {
    root.setAttribute('data-bs-theme', mode);
    document.cookie = `theme=${mode}; path=${address.of('/')}; SameSite=Lax` + (keep ? '; max-age=31536000' : '');
  }
  if (!cookie) applyTheme(matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', false);

  const pathOf = address.page;
  /* an address that does not say which image is open, with the one that is; the server writes it last, too */
  function staying(search) {
    const open = /[?&](sample=\d+)/.exec(window.location.search);
    return open ? (search ? search + '&' : '?') + open[1] : search;
  }
  /* a cell beside the chosen one: the image stays open; where none is chosen yet, it is chosen, and shows others */
  const against = (search) => (/[?&](true|pred)=/.test(window.location.search) ? staying(search) : search);
  /* where the gallery changes it is drawn first (ahead.js), within a moment or not; whatever is done next finds the address changed */
  let coming = null;
  const settle = () => { if (coming) coming(); };
  ['pointerdown', 'keydown', 'click', 'change'].forEach((kind) => document.addEventListener(kind, settle, true));
  function go(pathname, search) {
    const moves = pathname !== pathOf(), props = {};
    if (moves) props.pathname = address.of(pathname);
    /* an address that stays is not told again: the page that is left would ask for everything once more */
    if (!moves || search !== window.location.search) props.search = search;
    const { ahead } = window.dash_clientside;
    if (moves || !ahead || !ahead.narrows(search)) { set('url', props); return; }
    const change = coming = () => {
      if (coming !== change) return;
      coming = null;
      set('url', props);
    };
    ahead.show(search).then(change, change);
  }
  /* a link to another page carries the filters, not the place in the gallery */
  function carried() {
    const query = new URLSearchParams(window.location.search);
    ['page', 'sample', 'way', 'edits'].forEach((name) => query.delete(name));
    const text = query.toString();
    return text ? '?' + text : '';
  }
  /* a link that lasts: with what the page takes for granted, as defaults change */
  function permalink() {
    const there = new URL(window.location.href), said = there.searchParams;
    const named = window.dash_clientside.named || {};
    if (said.has('run') && said.get('run') !== named.run) return there.href; /* the page is still on its way */
    const all = new URLSearchParams();
    for (const name of ['run', 'data', 'against', 'split']) {
      const value = said.has(name) && name !== 'data' ? said.get(name) : named[name];
      if (value) all.set(name, value);
      said.delete(name);
    }
    there.search = [all, said].map(String).filter(Boolean).join('&');
    return there.href;
  }
  window.dash_clientside.permalink = permalink;
  const onPageLink = (e) => {
    const link = e.target.closest && e.target.closest('a[data-page],a[data-follows]');
    if (!link) return;
    const { page, follows } = link.dataset; /* a file of this view is of all its address */
    link.setAttribute('href', address.of(follows ? follows + window.location.search : page + carried()));
  };
  ['pointerover', 'focusin', 'click'].forEach((kind) => document.addEventListener(kind, onPageLink, true));

  document.addEventListener('click', (e) => {
    document.querySelectorAll('details.addfilter[open]').forEach((menu) => {
      if (!menu.contains(e.target)) menu.removeAttribute('open');
    });
    const goto = e.target.closest && e.target.closest('[data-goto]'), there = goto && document.getElementById(goto.dataset.goto);
    if (there) { /* further down on the same page; the keyboard goes on from there */
      there.setAttribute('tabindex', '-1');
      there.focus({ preventScroll: true });
      window.dash_clientside.reveal(there);
      return;
    }
    const target = e.target.closest && e.target.closest('[data-search],[data-copy],a[data-page],#app-theme-button');
    if (!target) return;
    if (target.id === 'app-theme-button') {
      const mode = root.getAttribute('data-bs-theme') === 'dark' ? 'light' : 'dark';
      applyTheme(mode, true);
      set('app-theme-state', { data: mode });
      return;
    }
    if (target.hasAttribute('data-copy')) {
      const words = target.querySelector('span');
      navigator.clipboard.writeText(target.dataset.copy || permalink()).then(() => {
        const before = words.textContent;
        words.textContent = 'Copied';
        setTimeout(() => { words.textContent = before; }, 1500);
      });
      return;
    }
    if (e.ctrlKey || e.metaKey || e.shiftKey) {
      if (target.matches('a')) return; /* the browser opens a tab or a window */
      /* Shift holds a second cell of the matrix against the first; Shift and Enter do it too */
      if (e.shiftKey && target.hasAttribute('data-contrast')) { go(pathOf(), against(target.dataset.contrast)); return; }
      if (target.hasAttribute('data-add')) { go(pathOf(), target.dataset.add); return; }
    }
    e.preventDefault();
    if (target.matches('a[data-page]')) {
      go(target.dataset.page, carried());
      window.scrollTo(0, 0);
    } else {
      go(target.dataset.path || pathOf(), target.hasAttribute('data-open') ? staying(target.dataset.search) : target.dataset.search);
      if (target.dataset.path) window.scrollTo(0, 0);
    }
  });

  /* a run chosen in a picker: the filters stay, the place in the gallery goes */
  const PICKERS = { 'run-picker': 'run', 'comparison-against': 'against', 'robustness-against': 'against' };
  document.addEventListener('change', (e) => {
    const name = PICKERS[e.target.id];
    if (!name || !e.target.value) return;
    const query = new URLSearchParams(carried());
    if (name === 'run' && query.get('against') === e.target.value) { /* a run is never compared with itself */
      if (query.has('run')) query.set('against', query.get('run')); else query.delete('against');
    }
    if (name === 'run') query.delete('data'); /* the digest was of the other run's pictures */
    query.set(name, e.target.value);
    go(pathOf(), '?' + query.toString());
  });

  /* charts tell a callback which point was clicked but not which key was held */
  let held = 'false,false';
  document.addEventListener('pointerdown', (e) => {
    const ctrl = e.ctrlKey || e.metaKey, shift = e.shiftKey;
    if (`${ctrl},${shift}` === held) return;
    held = `${ctrl},${shift}`;
    set('app-keys-state', { data: { ctrl: ctrl, shift: shift } });
  }, true);

  /* the part's own button; while what it shows could not be drawn there is none, and its key leaves the address */
  function shut(part, key) {
    const close = part.querySelector('[data-close]');
    if (close) { close.click(); return; }
    const query = new URLSearchParams(window.location.search);
    query.delete(key);
    const text = query.toString();
    go(pathOf(), text ? '?' + text : '');
  }

  /* Escape closes what lies on top: a menu, the drawer, then the contrast; arrows walk through it and through grids of buttons */
  document.addEventListener('keydown', (e) => {
    const drawer = document.querySelector('.drawer.open');
    const typing = e.target.matches && e.target.matches('input,select,textarea');
    const menu = document.querySelector('details.addfilter[open]');
    if (e.key === 'Escape' && menu) {
      menu.removeAttribute('open');
      menu.querySelector('summary').focus();
      return;
    }
    const contrast = document.querySelector('.contrast:not(.gone)');
    if (e.key === 'Escape' && (drawer || contrast)) {
      shut(drawer || contrast, drawer ? 'sample' : 'contrast');
      return;
    }
    const grid = e.target.closest && e.target.closest('[data-arrows]');
    if (grid && !typing) {
      const columns = Number(grid.dataset.arrows);
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[e.key];
      if (step) {
        const cells = [...grid.querySelectorAll('button[data-search]:not(:disabled),button[data-batch-true]')];
        const next = cells[cells.indexOf(e.target) + step];
        if (next) { e.preventDefault(); next.focus(); }
        return;
      }
    }
    if (e.key === 'c' && !e.ctrlKey && !e.metaKey && !e.altKey && e.target.matches && e.target.matches('[data-contrast]')) {
      go(pathOf(), against(e.target.dataset.contrast));
      return;
    }
    if (drawer && !typing && drawer.contains(e.target) && (e.key === 'ArrowLeft' || e.key === 'ArrowRight')) {
      const button = drawer.querySelector(e.key === 'ArrowLeft' ? '[data-previous]' : '[data-next]');
      if (button && !button.disabled) { e.preventDefault(); button.click(); }
    }
  });

  /* the drawer takes the focus when it opens and gives it back when it closes */
  let opener = null;
  /* the button that walked on is drawn anew for the next sample; who pressed it goes on from the new one */
  let walked = '';
  const watched = new WeakSet();
  function watch(walk) {
    if (watched.has(walk)) return;
    watched.add(walk);
    walk.addEventListener('click', (e) => {
      const button = e.target.closest('[data-previous],[data-next]');
      if (button && walk.contains(document.activeElement)) walked = button.matches('[data-next]') ? '[data-next]' : '[data-previous]';
    });
    new MutationObserver(() => {
      const button = walked && walk.querySelector(walked);
      if (!button || document.activeElement !== document.body) return;
      walked = '';
      (button.disabled ? document.getElementById('sample-drawer-body') : button).focus({ preventScroll: true });
    }).observe(walk, { childList: true, subtree: true });
  }
  /* the contrast leaves the focus where it is; closed from within, it gives it back to who opened it */
  let beside = null;
  function contrasted(panel, before) {
    const after = !panel.classList.contains('gone'), active = document.activeElement;
    if (after && !before) beside = active;
    else if (before && !after && beside && document.contains(beside) && (active === document.body || panel.contains(active))) {
      beside.focus({ preventScroll: true });
    }
  }
  new MutationObserver((records) => {
    for (const record of records) {
      if (record.target.matches('section.contrast')) contrasted(record.target, !(record.oldValue || '').includes('gone'));
      if (record.target.id !== 'sample-drawer') continue;
      const before = (record.oldValue || '').includes('open');
      const after = record.target.classList.contains('open');
      if (after && !before) {
        opener = document.activeElement;
        /* its details, not a button of its head: those are drawn anew with every sample, and would lose it */
        if (opener !== document.body) document.getElementById('sample-drawer-body').focus({ preventScroll: true });
        watch(document.getElementById('sample-drawer-walk'));
      } else if (before && !after) {
        walked = '';
        if (opener && document.contains(opener)) opener.focus({ preventScroll: true });
      }
    }
  }).observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ['class'], attributeOldValue: true });

  /* the aurora drifts one small step every few seconds, and rests half a minute after the last input, in a hidden tab
     and where less motion is asked for */
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const token = (name) => Number(getComputedStyle(root).getPropertyValue(name));
  let step = 0, stirred = performance.now();
  ['pointermove', 'keydown', 'scroll'].forEach((kind) =>
    addEventListener(kind, () => { stirred = performance.now(); }, { passive: true }));
  setInterval(() => {
    if (calm.matches || document.hidden || performance.now() - stirred > 30000) return;
    const aurora = document.querySelector('.aurora');
    if (!aurora) return;
    const t = (++step / token('--ff-aurora-steps')) * 2 * Math.PI;
    aurora.style.transform = `translate3d(${(-3 * Math.cos(t)).toFixed(3)}%,${(-2.5 * Math.cos(0.7 * t)).toFixed(3)}%,0)`;
  }, token('--ff-aurora-every') || 4000);
})();
