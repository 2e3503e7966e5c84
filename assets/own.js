/* A button with data-own changes these keys of the address alone; the others stay as they are by the time it is clicked.
   So what depends on a few keys need not be drawn again when the others change. data-to: what comes into view. */
(function () {
  'use strict';
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('[data-own][data-search]');
    if (!button) return;
    const there = new URLSearchParams(button.dataset.search), now = new URLSearchParams(window.location.search);
    for (const name of button.dataset.own.split(',')) {
      if (there.has(name)) now.set(name, there.get(name)); else now.delete(name);
    }
    const text = now.toString();
    button.dataset.search = text ? '?' + text : '';
    const shown = document.getElementById(button.dataset.to || '');
    if (shown) shown.scrollIntoView({ block: 'nearest' });
  }, true);
})();
