/* Feedback: what is said of an answer on the Prediction page, and the inbox. Every request says what came of it in words;
   thanks are shown when the server has answered, and it answers when the row is on its disk. */
(function () {
  'use strict';
  const ROUTE = window.dash_clientside.address.of('/api/v1/feedback');
  const PATIENCE_MS = 20000;
  const byId = (id) => document.getElementById(id);
  const say = (id, words) => { const place = byId(id); if (place) place.textContent = words; };
  const still = () => window.dash_clientside.no_update;

  /* the server's answer, or a sentence that says why there is none */
  async function post(path, body) {
    const limit = new AbortController(), clock = setTimeout(() => limit.abort(), PATIENCE_MS);
    try {
      const answer = await fetch(path, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal: limit.signal,
      });
      const told = await answer.json().catch(() => ({}));
      return answer.ok ? { told: told } : { error: told.error || 'The server could not do this. Try again in a moment.' };
    } catch {
      return { error: 'The server does not answer, so it is not known whether this was kept. Try again: it is kept once.' };
    } finally { clearTimeout(clock); }
  }

  /* ---- on the Prediction page */
  const keys = new Map(); /* one key for each answer: sent twice, it is kept once */
  let held = null;
  let sending = false;
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const note = () => byId('prediction-feedback-note');

  function fresh() {
    if (note()) note().value = '';
    say('prediction-feedback-status', '');
    say('prediction-feedback-error', '');
    show(false);
    lock(false);
  }
  function show(open) {
    const classes = byId('prediction-feedback-classes');
    const toggle = document.querySelector('[data-feedback="open"]');
    if (classes) classes.hidden = !open;
    if (toggle) toggle.setAttribute('aria-expanded', String(open));
  }
  function lock(on) {
    document.querySelectorAll('#prediction-feedback-form button').forEach((button) => { button.disabled = on; });
  }
  async function give(label) {
    if (sending || !held) return;
    const mine = held;
    sending = true;
    lock(true);
    say('prediction-feedback-error', '');
    say('prediction-feedback-status', 'Sending …');
    if (!keys.has(mine.prediction)) keys.set(mine.prediction, random());
    const found = await post(ROUTE, {
      key: keys.get(mine.prediction), run: mine.run, prediction: mine.prediction, said: mine.said,
      confidence: mine.confidence, origin: mine.origin, image: mine.image, sent: mine.sent, label: label,
      note: note() ? note().value : '',
    });
    sending = false;
    if (mine !== held) return; /* another answer is there by now */
    say('prediction-feedback-status', found.told ? `Thank you. It is kept: this is ${found.told.label}.` : '');
    if (!found.error) return;
    lock(false);
    say('prediction-feedback-error', found.error);
  }
  document.addEventListener('click', (e) => {
    const target = e.target.closest && e.target.closest('[data-feedback]');
    if (!target || target.disabled) return;
    if (target.dataset.feedback === 'open') {
      show(target.getAttribute('aria-expanded') !== 'true');
      const first = document.querySelector('#prediction-feedback-classes button');
      if (first && target.getAttribute('aria-expanded') === 'true') first.focus();
    } else if (target.dataset.feedback === 'label') give(target.dataset.label);
  });

  /* ---- the inbox */
  const picked = new Set();
  const grid = () => byId('feedback-inbox-grid');
  const picks = () => (grid() ? [...grid().querySelectorAll('[data-pick]')] : []);
  /* what was deleted last and can be brought back, as the server knows it */
  const removed = () => {
    const place = byId('feedback-trashed');
    return place && place.dataset.numbers ? place.dataset.numbers.split(',').map(Number) : [];
  };
  const chosen = () => {
    if (picked.size) return [...picked];
    const here = document.activeElement && document.activeElement.closest('[data-pick]');
    return here ? [Number(here.dataset.pick)] : [];
  };
  function paint() {
    const shown = new Set(picks().map((one) => Number(one.dataset.pick)));
    [...picked].forEach((number) => { if (!shown.has(number)) picked.delete(number); });
    picks().forEach((one) => {
      const on = String(picked.has(Number(one.dataset.pick)));
      if (one.getAttribute('aria-pressed') !== on) one.setAttribute('aria-pressed', on);
    });
    const words = picked.size ? `${picked.size} chosen` : 'Choose by clicking';
    const place = byId('feedback-inbox-chosen');
    if (place && place.textContent !== words) place.textContent = words;
    const all = document.querySelector('[data-inbox="all"]');
    const every = picks().length > 0 && picked.size === picks().length;
    if (all) all.textContent = every ? 'Choose none' : 'Choose all here';
    const undo = document.querySelector('[data-inbox="restore"]');
    if (undo) undo.hidden = !removed().length;
  }
  async function act(what) {
    if (what === 'all') {
      const every = picked.size === picks().length;
      picked.clear();
      if (!every) picks().forEach((one) => picked.add(Number(one.dataset.pick)));
      paint();
      return;
    }
    const button = document.querySelector(`[data-inbox="${what}"]`);
    if (!button || button.disabled || sending) return;
    const numbers = what === 'restore' ? removed() : chosen();
    if (!numbers.length) { say('feedback-inbox-error', 'Choose some first: click them, or walk there with the arrows.'); return; }
    sending = true;
    say('feedback-inbox-error', '');
    const judged = ['accepted', 'rejected', 'new'].includes(what);
    const found = await post(`${ROUTE}/${judged ? 'judge' : what}`, judged ? { numbers: numbers, state: what } : { numbers: numbers });
    sending = false;
    if (found.error) { say('feedback-inbox-error', found.error); return; }
    const n = found.told.changed;
    const words = { accepted: 'accepted', rejected: 'rejected', new: 'undecided again', delete: 'deleted', restore: 'brought back' }[what];
    say('feedback-inbox-status', `${n} ${words}.`);
    picked.clear();
    paint();
    if (grid()) window.dash_clientside.set_props('feedback-done-state', { data: Date.now() + Math.random() });
  }
  document.addEventListener('click', (e) => {
    if (!e.target.closest) return;
    const one = e.target.closest('[data-pick]'), tool = e.target.closest('[data-inbox]');
    if (one && grid()) {
      const number = Number(one.dataset.pick);
      if (picked.has(number)) picked.delete(number); else picked.add(number);
      paint();
    } else if (tool) act(tool.dataset.inbox);
  });
  const KEYS = { a: 'accepted', r: 'rejected', n: 'new', Delete: 'delete', u: 'restore' };
  document.addEventListener('keydown', (e) => {
    if (!grid() || e.ctrlKey || e.metaKey || e.altKey || e.repeat && e.key === 'Delete') return;
    if (!e.target.closest || e.target.closest('input,select,textarea')) return;
    const here = e.target.closest('[data-pick]'), all = picks();
    const columns = here ? getComputedStyle(grid()).gridTemplateColumns.split(' ').length : 1;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[e.key];
    if (here && step) {
      const next = all[all.indexOf(here) + step];
      if (next) { e.preventDefault(); next.focus(); }
    } else if (e.key === 'Escape' && picked.size) { picked.clear(); paint(); }
    else if (KEYS[e.key]) { e.preventDefault(); act(KEYS[e.key]); }
  });
  let asked = false;
  new MutationObserver(() => {
    if (asked || !grid()) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; paint(); });
  }).observe(document.documentElement, { subtree: true, childList: true });

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.feedback = {
    hold: function (state, kept) {
      const mark = state ? state.prediction : null;
      if (held && mark === held.prediction) return still();
      held = mark ? {
        prediction: mark, run: state.run, said: state.said, confidence: state.confidence, origin: state.origin,
        image: state.image, sent: state.origin || !kept ? '' : kept.src || '',
      } : null;
      fresh();
      return mark;
    },
    compare: function (ended, mine, open) {
      if (!ended || !mine || ended.job !== mine.job || !(open || []).includes('open')) return still();
      window.location.assign(window.dash_clientside.address.of('/comparison') + ended.search); /* anew: panels of two pages would overtake each other */
      return still();
    },
  };
})();
