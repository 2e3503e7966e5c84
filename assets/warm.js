/* The first explanation should not wait for the network to be loaded: a pointer or the focus on an image announces it. */
(function () {
  'use strict';
  const KINDS = ['pointerover', 'focusin'];
  function announce(event) {
    if (!event.target.closest || !event.target.closest('[data-sample]')) return;
    KINDS.forEach((kind) => document.removeEventListener(kind, announce));
    fetch('/explanations/warm' + window.location.search).catch(() => {});
  }
  KINDS.forEach((kind) => document.addEventListener(kind, announce, { passive: true }));
})();
