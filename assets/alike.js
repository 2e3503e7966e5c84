/* More like this on any tile of an image: one button for all of them, over the one that is pointed at or has the focus, and the
   key M. What is found is a selection; its gallery comes into sight. */
(function () {
  'use strict';
  const TILE = 'tile-alike', GALLERIES = { '/': 'dashboard-gallery-card', '/comparison': 'comparison-gallery-card' };
  const WAIT_MS = 15000, LOOK_MS = 100;
  const address = window.dash_clientside.address;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const press = () => document.getElementById(TILE);
  let over = null;

  const of = (tile) => tile.dataset.alike || tile.dataset.search || '';
  function near(target) {
    const tile = target.closest && target.closest('.tile');
    return tile && new URLSearchParams(of(tile)).has('sample') ? tile : null;
  }

  function show(tile) {
    const button = press();
    if (!button) return;
    over = tile;
    button.hidden = !tile;
    if (!tile) return;
    tile.setAttribute('aria-keyshortcuts', 'M');
    const picture = (tile.querySelector('.px,img') || tile).getBoundingClientRect();
    const inside = picture.width >= 72 ? 4 : -10; /* on a small picture, beside what a click opens */
    button.style.left = `${Math.min(picture.right - inside, innerWidth) - button.offsetWidth}px`;
    button.style.top = `${picture.top + inside}px`;
  }

  function ask(tile) {
    show(null);
    set(TILE + '-trouble', { children: null });
    set(TILE + '-asked', { data: { search: of(tile), at: Date.now() } });
  }

  document.addEventListener('pointerover', (e) => {
    if (e.pointerType === 'touch' || (e.target.closest && e.target.closest('#' + TILE))) return;
    const tile = near(e.target);
    if (tile || over) show(tile);
  }, { passive: true });
  document.addEventListener('focusin', (e) => {
    const tile = near(e.target);
    if (e.target.id === TILE) return;
    if (tile ? e.target.matches(':focus-visible') : over) show(tile);
  });
  ['scroll', 'resize'].forEach((kind) =>
    addEventListener(kind, () => { if (over) show(over.isConnected ? over : null); }, { passive: true, capture: true }));
  document.addEventListener('click', (e) => {
    if (e.target.closest && e.target.closest('#' + TILE) && over) ask(over);
    else if (over) show(null);
  });
  document.addEventListener('keydown', (e) => {
    const told = document.getElementById(TILE + '-trouble');
    if (e.key === 'Escape' && told && told.textContent) set(TILE + '-trouble', { children: null });
    if ((e.key !== 'm' && e.key !== 'M') || e.ctrlKey || e.metaKey || e.altKey) return;
    const tile = near(e.target);
    if (tile) ask(tile);
  });

  function busy() {
    if (!window.store) return false;
    const { stored, completed, ...waiting } = window.store.getState().callbacks;
    return Object.values(waiting).flat().length > 0;
  }

  /* where the address is that of a selection, its gallery comes into sight: it is further down, and the page may be still to
     come. path: of the page, which has one */
  function reveal(search, path) {
    const until = performance.now() + WAIT_MS, wanted = new URLSearchParams(search);
    if (wanted.has('sample')) return; /* whose drawer is what was asked for */
    const same = () => address.page() === path && new URLSearchParams(window.location.search).toString() === wanted.toString();
    let there = false;
    (function look() {
      const card = document.getElementById(GALLERIES[path]), here = same();
      if (there && !here) return; /* somebody went on */
      there = here;
      if (here && card && !busy()) {
        card.setAttribute('tabindex', '-1');
        card.focus({ preventScroll: true });
        window.dash_clientside.reveal(card);
      } else if (performance.now() < until) setTimeout(look, LOOK_MS);
    })();
  }

  window.dash_clientside.gallery = (search) => {
    set('url', address.page() === '/' ? { search: search } : { search: search, pathname: address.of('/') });
    reveal(search, '/');
  };
  document.addEventListener('click', (e) => { /* the address itself is changed by clientside.js */
    const way = e.target.closest && e.target.closest('[data-gallery][data-search]');
    if (!way || e.ctrlKey || e.metaKey || e.shiftKey) return;
    const path = way.dataset.path || address.page();
    if (path in GALLERIES) reveal(way.dataset.search, path);
  });
})();
