/* plotly's 3D chart asks for a frame sixty times a second, drawn or not, for as long as it is on the page: 6 % of a core
   for nothing. Here its loop (known by its text: nothing else in plotly.js reads like it) runs at full rate while
   somebody is at the page, and twice a second otherwise, which is often enough to notice new data. */
(function () {
  'use strict';
  const frame = window.requestAnimationFrame.bind(window);
  const loops = new WeakMap();
  const isLoop = (step) => {
    if (!loops.has(step)) {
      loops.set(step, /\._stopped\s*\|\|.{1,40}contextLost/.test(Function.prototype.toString.call(step)));
      if (loops.get(step)) stirred = performance.now(); /* a new chart: its first frames at once */
    }
    return loops.get(step);
  };
  let stirred = performance.now();
  let held = [];
  let timer = 0;
  const resume = () => {
    clearTimeout(timer);
    timer = 0;
    const steps = held;
    held = [];
    steps.forEach((step) => frame(step));
  };
  const stir = () => {
    stirred = performance.now();
    if (held.length) resume();
  };
  ['pointermove', 'pointerdown', 'pointerup', 'wheel', 'touchmove', 'keydown', 'resize'].forEach((kind) =>
    addEventListener(kind, stir, { passive: true, capture: true }));
  window.requestAnimationFrame = (step) => {
    if (!isLoop(step) || performance.now() - stirred < 2000) return frame(step);
    held.push(step);
    if (!timer) timer = setTimeout(resume, document.hidden ? 2000 : 500);
    return 0;
  };
})();
