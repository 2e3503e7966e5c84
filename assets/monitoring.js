/* The Monitoring page's clock: every five seconds while somebody can see the page and has not paused it. */
(function () {
  'use strict';
  const EVERY_MS = 5000;
  let paused = false;
  let last = 0;
  const here = () => document.getElementById('monitoring-counted-stats');
  function tick() {
    if (paused || document.hidden || !here()) return;
    last = performance.now();
    window.dash_clientside.set_props('monitoring-tick-state', { data: last });
  }
  setInterval(tick, EVERY_MS);
  document.addEventListener('visibilitychange', () => { if (performance.now() - last > EVERY_MS) tick(); });
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('[data-live]');
    if (!button) return;
    paused = !paused;
    button.setAttribute('aria-pressed', String(paused));
    button.textContent = paused ? 'Paused' : 'Pause';
    tick();
  });
})();
