/* Asks ahead. What a click will need is asked for when the pointer is pressed, or rests on the cell or on a page's link: the very
   request that Dash sends once it has found out which callbacks follow, and Dash gets that answer when it comes to ask. The gallery
   of a cell is drawn from it at once, and the address changes right after, so that nothing else wants the server in between.
   Asked is what Dash has asked before, with another address; whatever differs from that in the end is asked anew. */
(function () {
  'use strict';
  const UPDATE = '/_dash-update-component';
  const GALLERY = 'dashboard-gallery-grid', TITLE = 'dashboard-gallery-title', FACE = 'dashboard-gallery-face';
  const COUNT = 'selection-count', CHIPS = 'selection-chips', PAGE = 'app-page', CHART = 'dashboard-confusion-graph';
  const DRAWER = 'sample-drawer-shown', LAYER = 'sample-drawer-why-layer';
  const ASIDE = ['sample', 'way', 'edits', 'matrix', 'contrast', 'versus', 'look', 'level', 'abstain', 'scaling'];
  const KEPT_MS = 5000, MOST = 6, REST_MS = 60, LATE_MS = 150;
  const address = window.dash_clientside.address;
  const shapes = new Map(), answers = new Map();
  const ask = window.fetch;
  let turn = 0, timer = 0, over = null;

  const part = (output) => [GALLERY, COUNT, PAGE, DRAWER].find((id) => output.includes(id + '.'));
  const key = ({ output, inputs, state }) => JSON.stringify([output, inputs, state || []]);
  const fresh = (one) => one && performance.now() - one.at < KEPT_MS;

  function drop(name) {
    const one = answers.get(name);
    answers.delete(name);
    if (one && !one.ended) one.stop.abort();
  }

  /* the part as Dash would ask for it under other values; what is under way or known already is not asked again */
  function ahead(id, values) {
    const shape = shapes.get(id);
    if (!shape) return null;
    const fit = (list) => list && list.map((one) => {
      const name = `${one.id}.${one.property}`;
      return name in values ? { ...one, value: values[name] } : one;
    });
    const changed = shape.body.inputs.map((one) => `${one.id}.${one.property}`).filter((name) => name in values);
    const body = {
      ...shape.body, inputs: fit(shape.body.inputs), changedPropIds: changed, parsedChangedPropsIds: changed,
      ...(shape.body.state ? { state: fit(shape.body.state) } : {}),
    };
    const name = key(body), known = answers.get(name);
    if (fresh(known)) return known;
    drop(name);
    while (answers.size >= MOST) drop(answers.keys().next().value);
    const stop = new AbortController();
    const answer = ask(shape.url, { ...shape.options, body: JSON.stringify(body), signal: stop.signal });
    const one = { at: performance.now(), answer, stop, ended: false };
    one.told = answer.then((response) => (response.ok ? response.clone().json() : null)).catch(() => null);
    one.told.then((told) => { one.ended = true; if (!told && answers.get(name) === one) answers.delete(name); });
    answers.set(name, one);
    return one;
  }

  /* what of the page is drawn ahead: the bar wherever there is one, and the gallery of the Dashboard */
  const listed = () => address.page() === '/' && Boolean(document.getElementById(GALLERY)) && shapes.has(GALLERY);
  const counted = () => Boolean(document.getElementById(COUNT)) && shapes.has(COUNT);
  const asked = (search) => ({
    gallery: listed() ? ahead(GALLERY, { 'url.search': search }) : null,
    bar: counted() ? ahead(COUNT, { 'url.search': search, 'url.pathname': window.location.pathname }) : null,
  });

  /* the sheet of pictures comes while the pointer rests */
  function fetched(told) {
    const found = told && JSON.stringify(told.response).match(/url\(\\?["']?(\/[^"')\\]+)/);
    if (found) new Image().src = found[1];
  }

  function draw(told) {
    const { response } = told || {};
    if (!response || !response[GALLERY] || (response[FACE] && response[FACE].children)) return; /* Dash draws the face */
    window.fashion_forward.put(GALLERY, response[GALLERY].tree);
    const title = document.getElementById(TITLE), words = response[TITLE] && response[TITLE].children;
    if (title && typeof words === 'string') title.textContent = words;
  }
  function drawBar(told) {
    const { response } = told || {};
    if (!response || !response[CHIPS] || (response['selection-face'] && response['selection-face'].children)) return;
    window.fashion_forward.put(CHIPS, response[CHIPS].tree);
    const count = document.getElementById(COUNT), words = response[COUNT].children;
    if (count && typeof words === 'string') count.textContent = words;
  }

  /* Whether another address shows other images. */
  function narrows(search) {
    if (!listed() && (!counted() || address.page() === '/')) return false;
    const bare = (text) => {
      const query = new URLSearchParams(text);
      ASIDE.forEach((name) => query.delete(name));
      return query.toString();
    };
    return bare(search) !== bare(window.location.search);
  }

  /* Draws gallery and bar of an address before that is the address; resolves once the gallery stands, the bar where there is
     none, or it has not come soon enough. A later press, another page and the browser's own buttons make an earlier answer
     worth nothing. */
  function show(search) {
    const mine = ++turn, page = address.page(), { gallery, bar } = asked(search);
    const place = document.getElementById(gallery ? GALLERY : COUNT);
    const still = () => mine === turn && place && place.isConnected && address.page() === page;
    [gallery, bar].forEach((part) => { if (part) part.wanted = true; });
    const drawn = [[bar, drawBar], [gallery, draw]].map(([part, put]) => part && part.told.then((told) => { if (still()) put(told); }));
    const last = drawn[1] || drawn[0];
    return last ? Promise.race([last, new Promise((done) => setTimeout(done, LATE_MS))]) : Promise.resolve();
  }
  addEventListener('popstate', () => { turn += 1; });

  /* names as dashboard/state/query.py writes them */
  const quoted = (name) => encodeURIComponent(name)
    .replace(/[!*'()]/g, (one) => '%' + one.charCodeAt(0).toString(16).toUpperCase())
    .replace(/%(3A|3B|2C)/g, (one) => decodeURIComponent(one));

  /* where a click on a cell of the matrix leads: the chart says it for all its cells at once, for the address it was drawn of */
  function behind(truth, guess) {
    const chart = document.querySelector(`#${CHART} .js-plotly-plot`), lead = chart && chart.layout && chart.layout.meta;
    if (!lead || !lead.cell || address.bare(lead.of) !== address.bare(window.location.search) || typeof truth !== 'string' || typeof guess !== 'string') return null;
    if (lead.many.includes(truth) || lead.many.includes(guess)) return null;
    if (lead.chosen && lead.chosen[0] === truth && lead.chosen[1] === guess) return lead.back;
    return lead.cell.replace('true=~T~&pred=~P~', () => `true=${quoted(truth)}&pred=${quoted(guess)}`);
  }
  function pointed(target) {
    if (!target.closest) return null;
    if (target.closest(`#${CHART} .nsewdrag`)) {
      const chart = document.querySelector(`#${CHART} .js-plotly-plot`), [point] = (chart && chart._hoverdata) || [];
      return point ? behind(point.y, point.x) : null;
    }
    const button = target.closest('[data-search][data-add]'); /* a cell, a row or a column */
    return button && !button.dataset.path && !button.dataset.own ? button.dataset.search : null;
  }

  /* the page behind a link of the navigation, null for anything else and for the page that is there */
  function leadsTo(target) {
    const link = target && target.closest && target.closest('nav a[data-page]');
    if (!link) return null;
    const there = new URL(link.href);
    return there.pathname === window.location.pathname ? null : ahead(PAGE, { 'url.pathname': there.pathname, 'url.search': there.search });
  }

  /* the drawer of the image under the pointer, null for anything else and on pages that show the image themselves */
  const layer = () => (document.getElementById(LAYER) || {}).value;
  function opens(target) {
    const tile = target && target.closest && target.closest('[data-sample][data-search]'), drawer = document.getElementById('sample-drawer');
    if (!tile || tile.dataset.path || tile.dataset.own || !drawer || drawer.dataset.elsewhere.split(' ').includes(address.page())) return null;
    return ahead(DRAWER, {
      'sample-drawer-asked.data': tile.dataset.search, 'url.pathname': window.location.pathname, [`${LAYER}.value`]: layer(),
    });
  }

  function rest() {
    timer = 0;
    const target = over;
    if (leadsTo(target) || opens(target)) return;
    const search = target && pointed(target);
    if (search === null || search === undefined || !narrows(search)) return;
    const { gallery } = asked(search);
    if (gallery) gallery.told.then(fetched);
  }
  function moved(e) {
    over = e.target;
    clearTimeout(timer);
    timer = setTimeout(rest, REST_MS);
  }
  document.addEventListener('pointermove', (e) => { if (e.pointerType !== 'touch') moved(e); }, { passive: true, capture: true });
  document.addEventListener('focusin', (e) => { if (e.target.matches('nav a[data-page]')) moved(e); });
  document.addEventListener('pointerout', (e) => { /* what it rested on is left: what has not come is not wanted any more */
    const left = e.target.closest && e.target.closest('[data-search][data-add],[data-sample],nav a[data-page],.nsewdrag');
    if (left && !left.contains(e.relatedTarget)) [...answers].forEach(([name, one]) => { if (!one.ended && !one.wanted && !e.buttons) drop(name); });
  }, { passive: true, capture: true });
  document.addEventListener('pointerdown', (e) => {
    clearTimeout(timer); /* or it asks again between Dash's own question and the change of the address */
    if (e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    const page = leadsTo(e.target);
    if (page) page.wanted = true;
    const drawer = opens(e.target);
    if (drawer) {
      drawer.wanted = true;
      drawer.told.then((told) => { if (told && told.response[DRAWER]) window.dash_clientside.maps.begin(told.response[DRAWER].data, layer()); });
    }
    const search = pointed(e.target);
    if (search !== null && narrows(search)) Object.values(asked(search)).forEach((one) => { if (one) one.wanted = true; });
  }, { passive: true, capture: true });

  /* a click on a cell, as the chart tells the server: what that would say is known here */
  function clicked({ inputs, state }) {
    const [{ id, property, value }] = inputs, now = Object.fromEntries((state || []).map((one) => [`${one.id}.${one.property}`, one.value]));
    const held = now['app-keys-state.data'] || {}, [point] = (value && value.points) || [];
    if (id !== CHART || property !== 'clickData' || !point || held.ctrl || held.shift) return null;
    if ((now['url.search'] || '') !== window.location.search) return null;
    return behind(point.y, point.x);
  }
  const told = (search) => new Response(JSON.stringify({ multi: true, response: { url: { search } } }), {
    headers: { 'Content-Type': 'application/json' },
  });

  window.fetch = (url, options) => {
    if (!options || typeof options.body !== 'string' || !String(url).includes(UPDATE)) {
      if (options && options.method && options.method !== 'GET') answers.clear(); /* something may be changed */
      return ask(url, options);
    }
    const body = JSON.parse(options.body), id = part(body.output);
    if (id) {
      shapes.set(id, { url, options, body });
      const name = key(body), known = answers.get(name);
      answers.delete(name);
      if (fresh(known)) return known.answer;
    } else if (body.inputs.length === 1) {
      const search = clicked(body);
      if (search !== null) return (narrows(search) ? show(search) : Promise.resolve()).then(() => told(search));
    }
    return ask(url, options);
  };

  window.dash_clientside.ahead = { behind, narrows, quoted, show };
})();
