/* Add a network or predictions, on the Training page: what was said otherwise becomes a store, and buttons of rows do; the address
   /training#add leads to the panel. */
(function () {
  'use strict';
  const dash = window.dash_clientside = window.dash_clientside || {};
  const set = (id, data) => dash.set_props(id, { data });
  const root = () => document.querySelector('[data-adding]');

  dash.adding = {
    close: (clicks) => (clicks ? null : dash.no_update),
  };

  /* what a control says, as ml.importing.adding.Choices has it; null for nothing */
  function value(control) {
    if (control.type === 'checkbox') return control.checked || null;
    const text = control.value.trim();
    if (/\.(mean|deviation|size)$/.test(control.dataset.wish)) {
      const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
      return numbers.length ? numbers.map((one) => (Number.isFinite(one) ? one : text)) : null;
    }
    if (/\.epoch$/.test(control.dataset.wish)) return text === '' ? null : Number(text);
    return text === '' ? null : text;
  }
  const now = (control) => (control.type === 'checkbox' ? (control.checked ? 'on' : '') : control.value);

  function wishes(place, named) {
    /* what was said before stays said: what stands there was made with it */
    const all = JSON.parse(place.dataset.chosen || '{}');
    const controls = [...place.querySelectorAll('[data-wish]')], classes = controls.filter((one) => one.dataset.wish === 'network.classes');
    if (classes.some((one) => now(one) !== one.dataset.was)) (all.network = all.network || {}).classes = classes.map((one) => one.value);
    for (const one of controls) {
      const [kind, field] = one.dataset.wish.split('.'), whole = named && one.dataset.wish === `${named}.names`;
      if (field === 'classes' || (now(one) === one.dataset.was && !whole)) continue;
      const into = all[kind] = all[kind] || {};
      if (one.dataset.key !== undefined) (into[field] = into[field] || {})[one.dataset.key] = one.value;
      else if (value(one) === null) delete into[field];
      else into[field] = value(one);
    }
    return all;
  }
  let base = null;
  const say = (place, all) => { base = null; set('runs-add-wishes-state', { of: place.dataset.adding, wishes: all }); };

  /* a control that was changed keeps that when it is drawn anew, though it may mean another thing now */
  let drawn = '';
  function fresh() {
    const place = root();
    if (!place || place.dataset.drawn === drawn) return;
    drawn = place.dataset.drawn;
    for (const one of place.querySelectorAll('[data-wish]')) if (one.type === 'checkbox') one.checked = one.dataset.was === 'on'; else one.value = one.dataset.was;
  }

  /* the address, or a button of the Data page, leads here once the panel is there */
  let wanted = location.hash === '#add';
  function lead() {
    const card = wanted && document.getElementById('runs-add');
    if (!card) return;
    wanted = false;
    setTimeout(() => { window.dash_clientside.reveal(card); const first = card.querySelector('button'); if (first) first.focus({ preventScroll: true }); }, 300);
  }
  new MutationObserver(() => { fresh(); lead(); }).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ['data-drawn'] });
  window.addEventListener('hashchange', () => { wanted = location.hash === '#add'; lead(); });

  document.addEventListener('change', (e) => {
    const place = root();
    if (!place || !place.contains(e.target) || !e.target.matches('[data-wish]')) return;
    /* names are taken all at once, by their button: one alone is not enough to be looked at anew */
    if (!e.target.dataset.wish.endsWith('.names')) say(place, wishes(place));
  });
  document.addEventListener('click', (e) => {
    const on = (what) => e.target.closest && e.target.closest(what), place = root();
    if (on('[data-to-add]')) { wanted = true; lead(); }
    const names = on('button[data-adding-names]'), use = on('button[data-adding-use]'), act = on('button[data-adding-act]');
    if (names && place) say(place, wishes(place, names.dataset.addingNames));
    if (use && place) { /* the table stays that of what was said before */
      const chosen = JSON.parse(place.dataset.chosen || '{}');
      base = base && base.of === place.dataset.adding ? base : { of: place.dataset.adding, said: chosen };
      set('runs-add-wishes-state', { of: place.dataset.adding, wishes: { ...chosen, network: JSON.parse(use.dataset.addingUse) }, base: base.said });
    }
    if (act && !act.disabled) set('runs-add-asked-state', { act: act.dataset.addingAct, of: act.dataset.of, at: Date.now() });
  });
})();
