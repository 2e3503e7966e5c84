/* A click on a chart counts. plotly looks at most every 50 ms for what the pointer is on, and forgets it while a button is held: a press
   and release right after it looked last found nothing, and was no click. Here what was under the pointer at the press is it. */
(function () {
  'use strict';
  const STILL = 5; /* pixels by which a click may move */
  let press = null;
  document.addEventListener('pointerdown', (e) => {
    if (press) press.chart.removeListener('plotly_click', press.hear);
    press = null;
    const area = !e.button && e.target.closest && e.target.closest('.nsewdrag'), chart = area && area.closest('.js-plotly-plot');
    if (!chart || !chart._hoverdata) return;
    const one = { chart, points: chart._hoverdata, x: e.clientX, y: e.clientY, heard: false, hear: () => { one.heard = true; } };
    press = one;
    chart.on('plotly_click', one.hear);
  }, { passive: true, capture: true });
  document.addEventListener('click', (e) => { /* plotly has said it by now, if it does */
    if (!press || !e.target.closest || e.target.closest('.js-plotly-plot') !== press.chart) return;
    const { chart, points, heard, hear, x, y } = press;
    press = null;
    chart.removeListener('plotly_click', hear);
    if (!heard && Math.hypot(e.clientX - x, e.clientY - y) <= STILL) chart.emit('plotly_click', { points, event: e });
  }, { passive: true });
})();
