/* Sliders that are part of the address: everything follows while a hand moves one, and the whole movement is one step
   of the browser's history. */
(function () {
  'use strict';
  const SLIDERS = {
    'dashboard-confidence-slider': 'reject', 'insights-epoch-slider': 'epoch', 'prediction-abstain-slider': 'abstain',
    'robustness-epsilon-slider': 'epsilon',
  };
  const NARROW = ['true', 'pred', 'outcome', 'bucket', 'conf', 'tempered', 'reject', 'lasso', 'ids', 'tag', 'slice'];
  const PAUSE = 1500; /* ms without a key end a movement by keyboard; one by pointer ends when it is let go */
  let wanted = null, timer = null, moved = -Infinity, fresh = true, tries = 0;

  function busy() {
    if (!window.store) return false;
    const { stored, completed, ...waiting } = window.store.getState().callbacks;
    return Object.values(waiting).flat().length > 0;
  }

  function apply() {
    timer = null;
    if (busy() && ++tries < 40) { timer = setTimeout(apply, 40); return; } /* one answer at a time */
    tries = 0;
    const [name, value, epochs, slider] = wanted;
    delete slider.dataset.ahead;
    const query = new URLSearchParams(window.location.search);
    if (name === 'epoch') { if (value < epochs.length) query.set(name, epochs[value]); else query.delete(name); }
    else if (name === 'epsilon') query.set(name, epochs[value]);
    else if (name === 'abstain') { if (value > 0) query.set(name, (value / 100).toFixed(2)); else query.delete(name); }
    else narrow(query, name, value);
    if (!['abstain', 'epsilon'].includes(name)) ['page', 'sample'].forEach((one) => query.delete(one)); /* they narrow nothing */
    const search = query.size ? '?' + query.toString() : '';
    if (search === window.location.search) return;
    if (!fresh) window.history.replaceState(window.history.state, '', window.location.pathname + search);
    fresh = false;
    window.dash_clientside.set_props('url', { search: search });
  }

  function narrow(query, name, value) {
    /* nothing chosen means the mistakes: they stay meant when a threshold narrows them */
    if (!NARROW.some((filter) => query.has(filter))) query.append('outcome', 'wrong');
    if (value > 0) query.set(name, (value / 100).toFixed(2)); else query.delete(name);
  }

  document.addEventListener('input', (e) => {
    const name = SLIDERS[e.target.id];
    if (!name) return;
    if (!e.target.dataset.held && performance.now() - moved > PAUSE) fresh = true;
    moved = performance.now();
    const said = document.getElementById(e.target.id.replace(/-slider$/, '-said'));
    const listed = said && said.querySelector('[data-epochs]');
    const epochs = listed ? listed.dataset.epochs.split(',') : [];
    wanted = [name, Number(e.target.value), epochs, e.target];
    e.target.dataset.ahead = '1'; /* of the address: an older one that is answered now does not set it back */
    if (listed) listed.textContent = epochs[wanted[1]] || 'the end';
    else if (said) said.textContent = e.target.value + ' %';
    if (timer === null) timer = setTimeout(apply, 30);
  });
  document.addEventListener('pointerdown', (e) => {
    if (!SLIDERS[e.target.id]) return;
    e.target.dataset.held = '1';
    fresh = true;
  }, true);
  ['pointerup', 'pointercancel'].forEach((kind) => document.addEventListener(kind, () => {
    for (const id of Object.keys(SLIDERS)) {
      const slider = document.getElementById(id);
      if (slider) delete slider.dataset.held;
    }
  }, true));
})();
