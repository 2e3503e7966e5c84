/* The Review page: keys, choosing several, and a line of decisions that are sent one after the other until each one is
   acknowledged. What is decided lives on the server; here are only the presses that it has not answered yet. */
(function () {
  'use strict';
  const ROUTE = window.dash_clientside.address.of('/api/v1/decisions');
  const KEPT = 'review-waiting'; /* presses that were not acknowledged survive a reload of this tab */
  const AGAIN_MS = 1500;
  const LATER_MS = 150;
  const HEADING_MS = 1000;
  const TURN_MS = 2000; /* a key waits so long for the page */
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const byId = (id) => document.getElementById(id);
  const grid = () => byId('review-queue-grid');
  const tiles = () => (grid() ? [...grid().querySelectorAll('[data-sample]')] : []);
  const context = () => (byId('review-context') || { dataset: {} }).dataset;
  const picked = new Set(); /* ids of the chosen tiles */
  const batches = []; /* presses of this page, the last one last */
  let waiting = [];
  let sending = false;
  let several = false;
  let anchor = null; /* where a range of tiles begins */
  try { waiting = JSON.parse(sessionStorage.getItem(KEPT) || '[]'); } catch { waiting = []; }

  /* ---- what is in front */
  let heading = null; /* where the last press leads; the address is there a moment later */
  function front() {
    const there = heading && performance.now() < heading.until ? heading.search : window.location.search;
    const sample = new URLSearchParams(there).get('sample');
    const all = tiles();
    return all.find((tile) => tile.dataset.sample === sample) || all.find((tile) => tile.dataset.front === 'true');
  }
  function open(tile) {
    if (!tile) return;
    heading = { search: tile.dataset.search, until: performance.now() + HEADING_MS };
    set('url', { search: tile.dataset.search });
  }
  function step(by) {
    const all = tiles(), at = all.indexOf(front()) + by;
    if (all[at]) open(all[at]);
    else if (by > 0 && context().after) set('url', { search: context().after });
    else if (by < 0 && context().before) set('url', { search: context().before });
  }
  /* the next tile that nothing was decided of, else the next page */
  function goOn(ids) {
    const all = tiles();
    const still = (tile) => !tile.dataset.decided && !ids.includes(tile.dataset.sample) && !isWaiting(tile.dataset.sample);
    const last = Math.max(...ids.map((id) => all.findIndex((tile) => tile.dataset.sample === id)));
    const next = all.slice(last + 1).find(still) || all.find(still);
    if (next) open(next);
    else if (context().after) set('url', { search: context().after });
  }

  /* ---- what was pressed and not answered yet */
  const isWaiting = (id) => waiting.some((one) => one.ids.includes(id) && one.split === context().split);
  function keep() {
    try { sessionStorage.setItem(KEPT, JSON.stringify(waiting)); } catch { /* private windows may have no room */ }
  }
  function say(words, trouble) {
    const place = byId('review-status'), loud = byId('review-trouble');
    if (place) place.textContent = words;
    if (loud) loud.textContent = trouble || '';
  }
  async function send() {
    if (sending) return;
    sending = true;
    while (waiting.length) {
      const one = waiting[0];
      let answer = null, told = {};
      try {
        answer = await fetch(one.path, {
          method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(one.body),
        });
        told = await answer.json();
      } catch { answer = answer && answer.status < 500 ? answer : null; }
      if (!answer || answer.status >= 500) {
        const n = waiting.length;
        say('', `${n} ${n === 1 ? 'decision is' : 'decisions are'} not saved yet: the server does not answer. Trying again.`);
        await new Promise((wake) => setTimeout(wake, AGAIN_MS));
        continue;
      }
      waiting.shift();
      keep();
      if (!answer.ok) say('', told.error || 'This could not be decided.');
      else {
        if (one.path === ROUTE) batches.push(one.body.batch);
        say(saved(told.decisions, one.path !== ROUTE));
        told.decisions.forEach((made) => {
          const tile = tiles().find((each) => each.dataset.sample === String(made.id));
          if (tile && made.split === context().split) tile.dataset.decided = made.undone ? '' : made.action;
        });
        if (one.path !== ROUTE && told.decisions.length) back(told.decisions);
      }
      recount();
    }
    sending = false;
    paint();
  }
  /* the panels follow a moment later, so that the next picture comes first; of quick presses, once */
  let counting = 0;
  function recount() {
    clearTimeout(counting);
    counting = setTimeout(() => {
      if (byId('review-status')) set('review-done-state', { data: Date.now() + Math.random() });
    }, waiting.length ? 4 * LATER_MS : LATER_MS);
  }
  function saved(decisions, undone) {
    const n = decisions.length, one = decisions[0] || {};
    if (undone) return n === 1 ? `Undone: image ${one.id}.` : `Undone: ${n} images.`;
    const kept = one.split === 'unlabelled' ? one.after : 'kept'; /* as predicted */
    const what = { keep: kept, exclude: 'left out' }[one.action] || one.after;
    return n === 1 ? `Saved: image ${one.id}, ${what}.` : `Saved: ${n} images, ${what}.`;
  }
  /* to what was just undone, where it is on this page */
  function back(decisions) {
    open(tiles().find((tile) => tile.dataset.sample === String(decisions[0].id)));
  }

  /* keys may come faster than the page is drawn: one that finds nothing in front waits for it, and keeps its turn */
  const typed = [];
  let typing = false;
  function type(act) {
    typed.push({ act: act, until: performance.now() + TURN_MS });
    if (!typing) turn();
  }
  function turn() {
    while (typed.length && (typed[0].act() || performance.now() > typed[0].until)) typed.shift();
    typing = typed.length > 0;
    if (typing) setTimeout(turn, 30);
  }
  /* whether there was something to press, and something to press it for */
  function press(action, label) {
    const here = context(), tile = front(), pad = byId('review-sample-pad');
    const ids = picked.size ? [...picked] : tile ? [tile.dataset.sample] : [];
    const button = pad && pad.querySelector('[data-press="keep"]');
    if (!ids.length || !here.run || !button) return false;
    if (button.disabled) return true;
    const name = byId('review-who-input');
    const batch = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const body = {
      run: here.run, split: here.split, ids: ids.map(Number), action: action, who: name ? name.value : '', batch: batch,
    };
    if (label) body.label = label;
    waiting.push({ path: ROUTE, body: body, ids: ids, split: here.split });
    keep();
    picked.clear();
    goOn(ids);
    paint();
    send();
    return true;
  }
  function undo(batch) {
    const here = context(), name = byId('review-who-input');
    if (!here.run) return;
    const body = { run: here.run, who: name ? name.value : '' };
    const gone = waiting.filter((one) => one.path !== ROUTE).map((one) => one.body.batch);
    const mine = waiting.map((one) => one.body.batch).filter((one) => one && !gone.includes(one));
    const last = batch || mine.pop() || batches.pop();
    if (last) body.batch = last;
    waiting.push({ path: ROUTE + '/undo', body: body, ids: [], split: here.split });
    keep();
    send();
  }

  /* ---- choosing several */
  function choose(tile, e) {
    const all = tiles(), id = tile.dataset.sample;
    if (e && e.shiftKey && anchor !== null) {
      const from = all.findIndex((one) => one.dataset.sample === anchor), to = all.indexOf(tile);
      all.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => picked.add(one.dataset.sample));
    } else {
      if (picked.has(id)) picked.delete(id); else picked.add(id);
      anchor = id;
    }
    paint();
  }
  let painting = false;
  function paint() {
    const place = grid();
    if (!place || painting) return;
    painting = true;
    const now = front(), shown = new Set();
    const mark = (tile, name, value) => { if (tile.getAttribute(name) !== value) tile.setAttribute(name, value); };
    tiles().forEach((tile) => {
      const id = tile.dataset.sample;
      shown.add(id);
      mark(tile, 'aria-current', String(tile === now));
      mark(tile, 'aria-pressed', String(picked.has(id)));
      mark(tile, 'data-waiting', String(isWaiting(id)));
    });
    [...picked].forEach((id) => { if (!shown.has(id)) picked.delete(id); });
    const button = document.querySelector('[data-several]');
    const words = picked.size ? `${picked.size} chosen` : several ? 'Click to choose' : 'Choose several';
    if (button && button.textContent !== words) button.textContent = words;
    if (button) mark(button, 'aria-pressed', String(several || picked.size > 0));
    const pad = byId('review-sample-pad');
    if (pad) pad.classList.toggle('many', picked.size > 1);
    if (pad) pad.dataset.many = picked.size > 1 ? `for all ${picked.size} chosen images` : '';
    /* Dash gives the field of an upload no name */
    const file = document.querySelector('#review-import-upload input');
    if (file) mark(file, 'aria-label', 'Take in decisions from a CSV file');
    painting = false;
  }

  document.addEventListener('click', (e) => {
    if (!grid() || !e.target.closest) return;
    const tile = e.target.closest('#review-queue-grid [data-sample]');
    if (tile && (several || e.ctrlKey || e.metaKey || e.shiftKey)) {
      e.preventDefault();
      e.stopPropagation();
      if (!picked.size && anchor === null && front()) anchor = front().dataset.sample;
      choose(tile, e);
      return;
    }
    if (tile) { heading = null; picked.clear(); anchor = tile.dataset.sample; paint(); return; }
    const toggle = e.target.closest('[data-several]');
    if (toggle) {
      several = !(several || picked.size > 0);
      if (!several) picked.clear();
      paint();
      return;
    }
    const order = e.target.closest('.review .orders button');
    if (order && e.detail > 0) order.blur(); /* the next Space labels */
    const key = e.target.closest('.review [data-press]');
    if (!key || key.disabled) return;
    act(key.dataset.press, key.dataset);
    if (e.detail > 0) key.blur(); /* clicked, not pressed by Space or Enter: the next Space keeps a label */
  }, true);
  function act(name, data) {
    if (name === 'back') step(-1);
    else if (name === 'on') step(1);
    else if (name === 'undo') undo(data.batch);
    else press(name, name === 'relabel' ? data.label : '');
  }

  /* a digit that no class has is no press */
  function digit(name) {
    const pad = byId('review-sample-pad');
    if (!pad || !pad.querySelector('[data-class]')) return false;
    const key = pad.querySelector(`[data-class="${name}"]`);
    return key ? press('relabel', key.dataset.label) : true;
  }
  document.addEventListener('keydown', (e) => {
    const place = grid();
    if (!place || e.ctrlKey || e.metaKey || e.altKey || !e.target.closest) return;
    if (e.target.closest('input,select,textarea,[contenteditable]')) return;
    const tile = e.target.closest('#review-queue-grid [data-sample]');
    const take = () => { e.preventDefault(); e.stopPropagation(); };
    if (/^[0-9]$/.test(e.key)) {
      take();
      if (!e.repeat) type(() => digit(e.key));
      return;
    }
    if (e.key === ' ') {
      if (e.target.closest('button,a,summary,[role="button"]') && !tile) return; /* it does what it is there for */
      take();
      if (!e.repeat) type(() => press('keep'));
      return;
    }
    if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') { take(); step(e.key === 'ArrowLeft' ? -1 : 1); follow(tile); return; }
    if (tile && (e.key === 'ArrowUp' || e.key === 'ArrowDown')) {
      const columns = getComputedStyle(place).gridTemplateColumns.split(' ').length;
      take();
      step(e.key === 'ArrowUp' ? -columns : columns);
      follow(tile);
      return;
    }
    if (e.repeat || e.shiftKey) return;
    const letter = e.key.toLowerCase();
    if (letter === 'x') { take(); type(() => press('exclude')); }
    else if (letter === 'u') { take(); undo(); }
    else if (letter === 's' && front()) { take(); choose(front()); }
    else if (letter === 'a') { take(); tiles().forEach((one) => picked.add(one.dataset.sample)); paint(); }
    else if (e.key === 'Escape' && (picked.size || several)) { take(); picked.clear(); several = false; paint(); }
  }, true);
  /* the focus goes along where it was on a tile */
  function follow(tile) {
    if (tile) requestAnimationFrame(() => { const now = front(); if (now) now.focus(); });
  }

  /* tiles are drawn anew after each decision: what is chosen and what waits is marked again */
  let asked = false;
  new MutationObserver(() => {
    if (asked || !grid()) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; paint(); });
  }).observe(document.documentElement, { subtree: true, childList: true });
  window.addEventListener('popstate', () => { heading = null; });
  window.addEventListener('beforeunload', (e) => { if (waiting.length) e.preventDefault(); });
  if (waiting.length) send();

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.review = {
    view: function (search, before) {
      const query = new URLSearchParams(search || '');
      query.delete('sample');
      const now = '?' + query.toString();
      requestAnimationFrame(paint);
      return now === before ? window.dash_clientside.no_update : now;
    },
    compare: function (ended, mine, open) {
      const still = window.dash_clientside.no_update;
      if (!ended || !mine || ended.job !== mine.job || !(open || []).includes('open')) return [still, still];
      window.location.assign(window.dash_clientside.address.of('/comparison') + ended.search); /* anew: panels of two pages would overtake each other */
      return [still, still];
    },
  };
})();
