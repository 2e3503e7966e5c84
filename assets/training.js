/* The Training page's form: presets, marks of what was changed, what is wrong where, and its memory over a reload. */
(function () {
  'use strict';
  const same_window = window.dash_clientside = window.dash_clientside || {};
  const set = (id, props) => same_window.set_props(id, props);
  const element = (name, what) => document.getElementById('training-' + name.replaceAll('_', '-') + '-' + what);
  const KEY = 'fashion-forward-training-form';
  const OWN = 'own', PRESET = 'training-preset-select', IMAGES = 'training-images-range';
  let expected = null; /* the preset that this script has just chosen itself: no wish of the reader's */
  let wrong = {}; /* field → the value that was refused */
  let clearing = false;

  const empty = (value) => value === null || value === undefined || value === '';
  const most = () => Number((document.getElementById(IMAGES) || {}).max);

  function same(id, a, b) {
    if (id === IMAGES) return (empty(a) ? most() : Number(a)) === (empty(b) ? most() : Number(b));
    if (empty(a) || empty(b)) return empty(a) && empty(b);
    if (Array.isArray(a) || Array.isArray(b)) return [].concat(a).sort().join() === [].concat(b).sort().join();
    const x = Number(a), y = Number(b);
    return typeof a !== 'boolean' && !Number.isNaN(x) && !Number.isNaN(y) ? Math.abs(x - y) <= 1e-12 * Math.abs(x) : a === b;
  }

  /* a value as the control takes it */
  function shown(id, value) {
    if (id === IMAGES) return empty(value) ? most() : value;
    if (empty(value)) return '';
    const input = document.getElementById(id);
    return typeof value === 'number' && input && input.type === 'text' ? String(value) : value;
  }

  function put(id, value) {
    const all = Array.isArray(value) ? value.slice() : value;
    set(id, { value: shown(id, all) });
  }

  function prefer(preset, now) {
    if (preset === now) return;
    expected = preset;
    set(PRESET, { value: preset });
  }

  function made(tag, props, ...parts) {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...parts);
    return node;
  }

  /* what each field may hold, what the preset says and what it does: plain elements, and what describes its control */
  function describe(fields) {
    for (const [name, id] of fields) {
      const control = document.getElementById(id), box = control && control.closest('[data-field]');
      if (!box) continue;
      const own = (what) => 'training-' + name.replaceAll('_', '-') + '-' + what;
      const under = made('span', { className: 'under' },
        made('small', { id: own('limit') }, box.dataset.limit), made('small', { id: own('was'), className: 'was' }));
      element(name, 'error').before(under);
      const help = made('span', { id: own('help'), className: 'help' }, box.dataset.help);
      help.setAttribute('role', 'tooltip');
      box.append(help);
      const target = control.closest('[role=group]') || control;
      target.setAttribute('aria-describedby', ['limit', 'was', 'help', 'error'].map(own).join(' '));
    }
  }

  function load() {
    try { return JSON.parse(sessionStorage.getItem(KEY)); } catch (error) { return null; }
  }

  function restore(fields, presets, preset) {
    const saved = load();
    if (!saved || typeof saved.values !== 'object' || saved.values === null) return false;
    const known = saved.preset === OWN || saved.preset in presets;
    const basis = saved.preset === OWN ? saved.basis : presets[saved.preset];
    fields.forEach(([name, id]) => { if (name in saved.values && document.getElementById(id)) put(id, saved.values[name]); });
    if (known) {
      set('training-basis-state', { data: basis ? { ...basis, quiet: true } : null });
      prefer(saved.preset, preset);
    }
    return true;
  }

  same_window.training = {
    /* a preset is chosen: the form is filled from it; "own" keeps what is there */
    choose: function (preset, presets, basis) {
      if (preset === expected) { expected = null; return same_window.no_update; }
      if (preset === OWN) return basis && !basis.preset ? same_window.no_update : null;
      return { ...presets[preset], at: Date.now() };
    },

    reset: function (clicks, basis) {
      if (!clicks || !basis) return same_window.no_update;
      return { ...basis, values: { ...basis.beside, ...basis.values }, quiet: false, at: Date.now() };
    },

    fill: function (basis, fields, preset) {
      if (!basis || basis.quiet) return;
      fields.forEach(([name, id]) => { if (name in basis.values && document.getElementById(id)) put(id, basis.values[name]); });
      prefer(basis.preset || OWN, preset);
    },

    /* which fields differ from what the form was filled from; runs on every change, and first when the page comes */
    mark: function (basis, ...rest) {
      const [fields, presets, preset] = rest.slice(-3);
      const form = document.querySelector('.training .form');
      if (form && !form.dataset.ready) {
        form.dataset.ready = 'yes';
        wrong = {};
        describe(fields);
        if (restore(fields, presets, preset)) return Array(4).fill(same_window.no_update);
      }
      const values = {}, changed = [];
      let behind = 0;
      fields.forEach(([name, id, label], i) => {
        values[name] = rest[i];
        const box = document.querySelector(`[data-field="${name}"]`);
        if (!box) return;
        const own = basis && { ...basis.beside, ...basis.values }; /* beside: what no preset sets, and all presume */
        const differs = Boolean(basis) && name in own && !same(id, rest[i], own[name]);
        box.classList.toggle('changed', differs);
        element(name, 'was').textContent = differs ? `${basis.title}: ${basis.texts[name]}` : '';
        if (differs) { changed.push(label.toLowerCase()); behind += box.closest('details') ? 1 : 0; }
        if (name in wrong && !same(id, rest[i], wrong[name])) {
          delete wrong[name];
          clearing = true;
          set(element(name, 'error').id, { children: null });
        }
      });
      if (form) form.classList.toggle('other-recipe', changed.length > 0); /* what a preset promises holds of it alone */
      try { sessionStorage.setItem(KEY, JSON.stringify({ preset: preset, basis: basis, values: values })); } catch (error) { /* full or forbidden: no memory */ }
      const words = changed.length ? `Changed: ${changed.join(', ')}` : '';
      return [words, basis ? `Reset to ${basis.title}` : '', !changed.length, behind ? `${behind} changed` : ''];
    },

    /* what the server refused: marked for every reader, unfolded, and the first one gets the focus */
    point: function (...rest) {
      const fields = rest.pop();
      let first = null;
      fields.forEach(([name, id], i) => {
        const control = document.getElementById(id);
        if (!control) return;
        const target = control.closest('[role=group]') || control, bad = Boolean(rest[i]);
        if (bad) target.setAttribute('aria-invalid', 'true'); else target.removeAttribute('aria-invalid');
        if (!bad) { delete wrong[name]; return; }
        const folded = control.closest('details');
        if (folded && !clearing) folded.open = true;
        first = first || (control.matches('input,select') ? control : control.querySelector('input'));
      });
      if (clearing) { clearing = false; return; }
      const values = (load() || { values: {} }).values;
      fields.forEach(([name], i) => { if (rest[i]) wrong[name] = values[name]; });
      if (first) setTimeout(() => first.focus(), 50); /* after the button, which gets it back when it is enabled again */
    },

    pace: function (interval) { pace = interval; },

    /* a log that grows stays at its end, unless its reader has scrolled up */
    follow: function (words) {
      const log = document.getElementById('training-log-text');
      if (log && !log.dataset.held) requestAnimationFrame(() => { log.scrollTop = log.scrollHeight; });
    },
  };

  /* The page asks for news at the interval's pace, but never again before it was answered: Dash throws away an answer
     once the same is asked anew, so on a machine that is slow because it trains, a plain timer would show nothing. */
  const LONGEST = 10000; /* an answer that takes longer is not waited for */
  let pace = 500, ticks = 0, asked = 0;
  const open = () => {
    const { stored, completed, ...waiting } = window.store.getState().callbacks;
    return Object.values(waiting).flat().some((one) => one.callback.output.includes('training-live-state.data'));
  };
  /* A server that is gone can say nothing: the page says it, and from when the numbers are that it shows. */
  let lost = 0;
  const unanswered = () => {
    const { frontEnd, backEnd } = window.store.getState().error;
    return frontEnd.concat(backEnd).filter((one) => /did not respond/.test((one.error || {}).message)).length;
  };
  function away(gone) {
    const notice = document.getElementById('training-away');
    if (!notice || gone === Boolean(notice.textContent)) return;
    const now = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
    notice.textContent = gone ? `The server has not answered since ${now}: what is shown is from then. A training goes on ` +
      'without it, and this page follows it again once the server is back.' : '';
  }
  (function tick() {
    const here = document.getElementById('training-live-title') && window.store && same_window.set_props;
    if (here && (!open() || performance.now() - asked > LONGEST)) {
      const count = unanswered();
      away(count > lost || open());
      lost = count;
      asked = performance.now();
      set('training-live-interval', { n_intervals: ++ticks });
      setTimeout(tick, pace);
    } else {
      setTimeout(tick, 100);
    }
  })();

  /* Escape puts the help of a field away until the focus moves on */
  document.addEventListener('keydown', (e) => {
    const field = e.key === 'Escape' && e.target.closest && e.target.closest('.training .field');
    if (field) field.classList.add('hushed');
  });
  document.addEventListener('focusout', (e) => {
    const field = e.target.closest && e.target.closest('.training .field.hushed');
    if (field) field.classList.remove('hushed');
  });
  document.addEventListener('scroll', (e) => {
    const log = e.target;
    if (log.id !== 'training-log-text') return;
    if (log.scrollHeight - log.scrollTop - log.clientHeight > 24) log.dataset.held = 'yes'; else delete log.dataset.held;
  }, true);

  /* buttons in rows and cards: data-act says what, data-of of which; data-sure asks once more before it is done */
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-act]');
    if (!button || button.disabled) return;
    const back = () => {
      if (!button.dataset.asked) return;
      const [words, name] = JSON.parse(button.dataset.asked);
      button.textContent = words;
      if (name) button.setAttribute('aria-label', name);
      delete button.dataset.asked;
    };
    if (button.dataset.sure && !button.dataset.asked) {
      const name = button.getAttribute('aria-label');
      button.dataset.asked = JSON.stringify([button.textContent, name]);
      button.textContent = button.dataset.sure;
      if (name) button.setAttribute('aria-label', `${button.dataset.sure} ${name}`);
      setTimeout(back, 5000);
      return;
    }
    back();
    const act = button.dataset.act, of = button.dataset.of;
    if (act === 'show') {
      set('training-shown-state', { data: of || null });
      const card = document.getElementById('training-live-title');
      if (of && card) window.dash_clientside.reveal(card, 'center');
    } else if (act === 'copy') {
      set('training-copy-state', { data: { of: of, at: Date.now() } });
      const close = button.closest('.drawer') && button.closest('.drawer').querySelector('[data-close]');
      if (close) close.click();
      const form = document.getElementById('training-form-card');
      if (form) window.dash_clientside.reveal(form);
    } else if (act === 'copy-log') {
      const log = document.getElementById('training-log-text');
      navigator.clipboard.writeText(log.textContent).then(() => {
        const words = button.textContent;
        button.textContent = 'Copied';
        setTimeout(() => { button.textContent = words; }, 1500);
      });
    } else {
      set('training-asked-state', { data: { act: act, of: of, at: Date.now() } });
    }
  });
})();
