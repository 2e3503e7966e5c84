/* More like this on any tile of an image: one button for all of them, over the one that is pointed at or has the focus, and the
   key M. What is found is a selection; its gallery comes into sight. */
(function () {
  'use strict';
  const TILE = 'tile-alike', GALLERY = 'dashboard-gallery-card', TITLE = 'dashboard-gallery-title';
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

  /* the address of what was found; the gallery is further down, and may be on a page that is still to come */
  window.dash_clientside.alike = (search) => {
    const until = performance.now() + WAIT_MS, ids = (text) => new URLSearchParams(text).get('ids');
    let there = false;
    set('url', address.page() === '/' ? { search: search } : { search: search, pathname: address.of('/') });
    (function look() {
      const title = document.getElementById(TITLE), card = document.getElementById(GALLERY);
      const here = ids(window.location.search) === ids(search);
      if (there && !here) return; /* somebody went on */
      there = here;
      if (here && card && title && /in the order of the link/.test(title.textContent)) {
        card.setAttribute('tabindex', '-1');
        card.focus({ preventScroll: true });
        card.scrollIntoView();
      } else if (performance.now() < until) setTimeout(look, LOOK_MS);
    })();
  };
})();
