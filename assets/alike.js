/* More like this on any tile of an image: one button for all of them, over the one that is pointed at or has the focus, and the
   key M. What is found is a selection; its gallery comes into sight. */
(function () {
  'use strict';
  const TILE = 'tile-alike', GALLERY = 'dashboard-gallery-card';
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

  /* the address of a selection on the Dashboard: its gallery is further down, and the page may be still to come */
  window.dash_clientside.gallery = (search) => {
    const until = performance.now() + WAIT_MS, opens = new URLSearchParams(search).has('sample');
    const same = () => new URLSearchParams(window.location.search).toString() === new URLSearchParams(search).toString();
    let there = false;
    set('url', address.page() === '/' ? { search: search } : { search: search, pathname: address.of('/') });
    (function look() {
      const card = document.getElementById(GALLERY), here = same();
      if (there && !here) return; /* somebody went on */
      there = here;
      if (here && card && !busy()) {
        if (opens) return; /* its drawer is what was asked for */
        card.setAttribute('tabindex', '-1');
        card.focus({ preventScroll: true });
        card.scrollIntoView();
      } else if (performance.now() < until) setTimeout(look, LOOK_MS);
    })();
  };
})();
