/* The first screen stands before any script, as dashboard/first draws it. Here Dash gets the answers that came with it, and the
   page takes the screen's place once it shows the same. */
(function () {
  'use strict';
  const root = document.documentElement, shown = document.getElementById('app-first');
  if (!shown) return;
  const LIMIT = 20000; /* milliseconds after which the page is shown as far as it is */
  const mode = root.getAttribute('data-bs-theme'), drawn = shown.dataset.theme === mode;
  const same = (drawn || 'either' in shown.dataset) && root.hasAttribute('data-first');

  /* asked for exactly what was foreseen, once each; everything else goes to the server */
  const key = (output, values) => JSON.stringify([output, values]);
  const texts = new Map(), expected = new Set();
  for (const one of same ? document.querySelectorAll('script[data-first]') : []) {
    if ((one.dataset.theme || mode) !== mode) continue;
    const [output, values] = JSON.parse(one.dataset.first);
    texts.set(key(output, values), one.textContent);
    if (one.textContent) expected.add(output);
  }
  let layout = same ? document.getElementById('first-layout').textContent : '';
  if (layout && !drawn) { /* it holds the colours that the server took it for */
    const put = (name, value) => (value && value.id === 'app-theme-state' ? { ...value, data: mode } : value);
    layout = JSON.stringify(JSON.parse(layout, put));
  }
  const given = new Set();
  const { within } = window.dash_clientside.address;
  const plain = (one) => {
    if (Array.isArray(one)) return one.map(plain);
    const value = one.value === undefined ? null : one.value;
    return one.property === 'pathname' && typeof value === 'string' ? within(value) : value;
  };
  function answer(address, how) {
    if (address.endsWith('/_dash-layout') && layout) {
      const text = layout;
      layout = '';
      return text;
    }
    if (!address.includes('/_dash-update-component') || !how || typeof how.body !== 'string' || !texts.size) return undefined;
    const { output, inputs, state } = JSON.parse(how.body);
    const asked = key(output, [...(inputs || []), ...(state || [])].map(plain)), text = texts.get(asked);
    if (text !== undefined) { texts.delete(asked); given.add(output); }
    return text;
  }
  const ask = window.fetch;
  window.fetch = function (what, how) {
    const text = typeof what === 'string' ? answer(what.split('?')[0], how) : undefined;
    if (text === undefined) return ask.apply(window, arguments);
    const headers = { 'Content-Type': 'application/json' };
    return Promise.resolve(new Response(text || null, { status: text ? 200 : 204, headers }));
  };

  /* the same element of the page that takes over: at the same place, and of the same kind */
  function counterpart(element) {
    const path = [];
    for (let one = element; one !== shown; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
    let found = document.getElementById('react-entry-point');
    for (const place of path) found = found && found.children[place];
    return found && found.nodeName === element.nodeName ? found : null;
  }
  function replay({ kind, target, value, shift, ctrl }) {
    const chart = target.closest('[data-x]') && target.closest('[data-chart]');
    if (chart) {
      const { x, y } = target.dataset;
      window.dash_clientside.set_props('app-keys-state', { data: { ctrl, shift } });
      window.dash_clientside.set_props(chart.dataset.chart, { clickData: { points: [{ x, y }] } });
      return;
    }
    const there = counterpart(target);
    if (!there) return;
    if (kind === 'click') {
      there.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, shiftKey: shift, ctrlKey: ctrl }));
    } else if (there.matches('select')) { /* React hears of a change that it did not make itself */
      Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(there, value);
      there.dispatchEvent(new Event('change', { bubbles: true }));
    }
  }

  function busy() {
    const { stored, completed, ...waiting } = window.store.getState().callbacks;
    return Object.values(waiting).flat();
  }
  function stands() {
    const state = window.store && window.store.getState();
    if (!state || state.appLifecycle !== 'HYDRATED') return false;
    const waiting = busy();
    if (waiting.some(({ callback }) => callback && expected.has(callback.output))) return false;
    if ([...expected].some((one) => !given.has(one)) && waiting.length) return false;
    return [...shown.querySelectorAll('[data-chart]')].every((one) => {
      const chart = document.getElementById(one.dataset.chart);
      return !chart || chart.querySelector('.heatmaplayer .hm');
    });
  }
  function over() {
    const active = document.activeElement, focused = shown.contains(active) ? counterpart(active) : null;
    for (const menu of shown.querySelectorAll('details[open]')) {
      const there = counterpart(menu);
      if (there) there.open = true;
    }
    root.removeAttribute('data-first');
    shown.remove();
    document.querySelectorAll('script[data-first],#first-layout').forEach((one) => one.remove());
    if (focused) focused.focus({ preventScroll: true });
    performance.mark('first-over');
    again((window.first || []).splice(0));
  }
  /* one after the other, each once the page shows what came of the one before */
  function again(kept) {
    const one = kept.shift();
    if (!one) return;
    replay(one);
    const next = () => { if (busy().length) setTimeout(next, 16); else again(kept); };
    if (kept.length) setTimeout(next, 50);
  }
  const look = () => {
    if (stands() || performance.now() > LIMIT) over(); else setTimeout(look, 16);
  };
  look();
})();
