/* What the tab is called: how far a training is, the page, the run; and word of a training's end for who looked away. */
(function () {
  'use strict';
  const NAME = 'Fashion Forward';
  const STATES = '#training-status,.retrain-live .badge-ff,.fb-live .badge-ff';
  const BARS = '#training-live-bar,.retrain-live progress,.fb-live progress';
  const STARTS = '#training-start,#review-retrain-start,#feedback-finetune-start';
  const text = (selector) => { const part = document.querySelector(selector); return part ? part.textContent.trim() : ''; };

  function run() {
    const picker = document.getElementById('run-picker'), chosen = picker && picker.selectedOptions && picker.selectedOptions[0];
    return chosen ? chosen.textContent.split(' · ')[0].trim() : '';
  }

  function far() {
    const bar = document.querySelector(BARS);
    return bar && bar.max ? `${Math.floor(100 * bar.value / bar.max)} %` : '';
  }

  let before = '', told = '';
  function look() {
    const page = text('#app-links [aria-current=page]'), state = text(STATES), running = state === 'running';
    if (before === 'running' && ['done', 'failed', 'interrupted', 'cancelled'].includes(state)) end(state);
    if (!document.hidden) told = '';
    before = state;
    const words = [told, running ? far() : '', page, run()].filter(Boolean);
    const title = [...words, NAME].join(' · ');
    if (document.title !== title) document.title = title;
  }

  function end(state) {
    if (!document.hidden) return;
    told = `Training ${state}`;
    if (!('Notification' in window) || Notification.permission !== 'granted') return;
    const note = new Notification(told, { body: text('#training-live-title') || run(), tag: 'fashion-forward-training' });
    note.onclick = () => { window.focus(); note.close(); };
  }

  /* asked once, and only of who starts a training: nobody else would know what for */
  document.addEventListener('click', (e) => {
    const start = e.target.closest && e.target.closest(STARTS);
    if (!start || start.disabled || !('Notification' in window) || Notification.permission !== 'default') return;
    Notification.requestPermission().catch(() => {});
  });
  setInterval(look, 1000);
  document.addEventListener('visibilitychange', look);
})();
