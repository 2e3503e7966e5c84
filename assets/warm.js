/* The first explanation should not wait for the network to be loaded. Announced is it by an address that opens an image,
   and by images that come into view, under the pointer or into focus; never by a page alone, which needs no network. */
(function () {
  'use strict';
  const KINDS = ['pointerover', 'focusin', 'scroll'];
  const PAUSE = 250;  // ms between two looks while a page is scrolled
  let looked = 0;
  function seen() {
    if (Date.now() - looked < PAUSE) return false;
    looked = Date.now();
    const first = document.querySelector('[data-sample]');
    if (!first) return false;
    const box = first.getBoundingClientRect();
    return box.height > 0 && box.top < window.innerHeight && box.bottom > 0;
  }
  function announce(event) {
    const met = event.type === 'scroll' ? seen() : event.target.closest && event.target.closest('[data-sample]');
    if (met) load();
  }
  function load() {
    KINDS.forEach((kind) => document.removeEventListener(kind, announce, true));
    fetch('/explanations/warm' + window.location.search).catch(() => {});
  }
  KINDS.forEach((kind) => document.addEventListener(kind, announce, { passive: true, capture: true }));
  if (new URLSearchParams(window.location.search).has('sample')) load();
})();
