/* Where the pages do not fit side by side, the one that is open is in sight, and the ends that go on fade (10-layout.css). */
(function () {
  'use strict';
  let list = null, shown = '';
  function marked() {
    if (!list) return;
    const left = list.scrollLeft, rest = list.scrollWidth - list.clientWidth - left;
    list.classList.toggle('more-left', left > 4);
    list.classList.toggle('more-right', rest > 4);
  }
  function follow() {
    const open = list.querySelector('[aria-current=page]');
    if (open && open.dataset.page !== shown) {
      shown = open.dataset.page;
      const from = list.getBoundingClientRect(), at = open.getBoundingClientRect();
      list.scrollLeft += at.left - from.left - (from.width - at.width) / 2;
    }
    marked();
  }
  const seen = new MutationObserver(follow);
  new MutationObserver((_, waiting) => {
    const now = document.getElementById('app-links');
    if (!now) return;
    waiting.disconnect(); /* the frame stays for as long as the document does */
    list = now;
    list.addEventListener('scroll', marked, { passive: true });
    seen.observe(list, { subtree: true, childList: true, attributes: true, attributeFilter: ['aria-current'] });
    window.addEventListener('resize', marked);
    follow();
  }).observe(document.documentElement, { subtree: true, childList: true });
})();
