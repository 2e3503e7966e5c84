/* The first explanation should not wait for the network to be loaded. Announced is it by an address that opens an image
   and by an image under the pointer or in focus; not by images that merely come into view: loading takes seconds of
   processor and hundreds of megabytes, which whoever looks at numbers would pay for. */
(function () {
  'use strict';
  const KINDS = ['pointerover', 'focusin'];
  function announce(event) {
    if (event.target.closest && event.target.closest('[data-sample]')) load();
  }
  function load() {
    KINDS.forEach((kind) => document.removeEventListener(kind, announce));
    fetch(window.dash_clientside.address.of('/explanations/warm') + window.location.search).catch(() => {});
  }
  KINDS.forEach((kind) => document.addEventListener(kind, announce, { passive: true }));
  if (new URLSearchParams(window.location.search).has('sample')) load();
})();
