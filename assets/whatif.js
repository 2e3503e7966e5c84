/* What if: changes to the picture as the network sees it. The server makes them (ml/images/edits.py) and answers; here are the
   hands, one request in flight and always the newest one next, and the steps. What holds is in the address. */
(function () {
  'use strict';
  const ROUTE = window.dash_clientside.address.of('/api/v1/whatif'), CARD = 'prediction-whatif';
  const PACE_MS = 60; /* between two requests: no more a second than the server lets one address ask */
  const PATIENCE_MS = 20000, AGAIN_MS = 3000;
  const PAUSE_MS = 1500; /* without a key end a movement by keyboard; one by pointer ends when it is let go */
  const KEPT = 80; /* answers */
  const SIDE = 28, BRUSH = 32, BLUR = 40; /* the last two as ml/images/edits.py */
  const CHARACTERS = 4000, CHANGES = 40; /* as ml/images/edits.py; a test compares */
  const byId = (part) => document.getElementById(`${CARD}-${part}`);
  const card = () => document.getElementById(CARD);
  const still = () => window.dash_clientside.no_update;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const write = (part, words) => { const place = byId(part); if (place && place.textContent !== words) place.textContent = words; };
  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  /* ---- changes as text, as ml/images/edits.py reads them */
  const pack = (strokes) => {
    const bytes = strokes.flatMap((one) => [one.size, one.level, one.points.length, ...one.points.flat()]);
    return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  };
  function unpack(text) {
    const bytes = [...atob(text.replace(/-/g, '+').replace(/_/g, '/'))].map((one) => one.charCodeAt(0)), found = [];
    for (let at = 0; at < bytes.length;) {
      const [size, level, n] = bytes.slice(at, at + 3), places = bytes.slice(at + 3, at + 3 + 2 * n);
      if (!n || !size || places.length !== 2 * n) throw new Error('broken');
      found.push({ size: size, level: level, points: places.flatMap((one, i) => (i % 2 ? [] : [[one, places[i + 1]]])) });
      at += 3 + 2 * n;
    }
    return found;
  }
  const number = (value) => String(Number(Number(value).toFixed(3)));
  const textOf = (changes) => changes.map((one) =>
    [one.kind, ...(one.kind === 'brush' ? [pack(one.strokes)] : one.values.map(number))].join(':')).join(',');
  /* null where it cannot be read */
  function parse(text) {
    if (!text) return [];
    try {
      return text.split(',').map((part) => {
        const [kind, ...values] = part.split(':');
        if (kind === 'brush') return { kind: kind, values: [], strokes: unpack(values[0]) };
        if (!values.every((one) => Number.isFinite(parseFloat(one)))) throw new Error('broken');
        return { kind: kind, values: values.map(Number) };
      });
    } catch { return null; }
  }

  /* every pixel whose middle is within half the brush's width of a line from point to point; as `painted` of ml/images/edits.py */
  function paint(pixels, width, height, stroke) {
    const reach = stroke.size / 2, points = stroke.points.length > 1 ? stroke.points : [stroke.points[0], stroke.points[0]];
    for (let i = 1; i < points.length; i++) {
      const [x0, y0] = points[i - 1], [x1, y1] = points[i], dx = x1 - x0, dy = y1 - y0;
      for (let y = Math.max(Math.ceil(Math.min(y0, y1) - reach), 0); y <= Math.min(Math.floor(Math.max(y0, y1) + reach), height - 1); y++) {
        for (let x = Math.max(Math.ceil(Math.min(x0, x1) - reach), 0); x <= Math.min(Math.floor(Math.max(x0, x1) + reach), width - 1); x++) {
          const along = clamp(((x - x0) * dx + (y - y0) * dy) / Math.max(dx * dx + dy * dy, 1), 0, 1);
          if ((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2 > reach * reach) continue;
          pixels.fill(stroke.level, 4 * (y * width + x), 4 * (y * width + x) + 3);
        }
      }
    }
  }

  /* lengths are pixels: of a photograph as many more as it has more than SIDE a side */
  let times = 1;
  function scale(now) {
    if (now === times) return;
    const size = byId('size'), share = Number(size.value) / times;
    times = now;
    size.max = Math.min(BRUSH, Math.round(12 * times));
    size.value = clamp(Math.round(share * times), 1, Number(size.max));
    write('size-said', size.value);
    byId('blur-0').max = Math.min(BLUR, Math.round(5 * times));
  }

  /* ---- what is held, and its steps */
  let held = null, last = null; /* the answer whose picture is changed; the one before it */
  let steps = [], at = 0; /* {text, words, label, thumb} */
  let pending = null; /* the text while a hand moves something */
  let told = null; /* the newest answer, with its text */
  let ground = 0, mode = 'draw', mark = null;
  let complaint = ''; /* what went wrong, until the next step */
  let answers = new Map();
  const first = () => ({ text: '', words: 'As it came', label: '', thumb: held ? held.image : '' });
  const current = () => (pending === null ? steps[at].text : pending);
  const key = (text) => `${looks() ? 'look ' : ''}${text}`;
  const looks = () => Boolean(byId('looks') && byId('looks').checked);

  function address(text, fresh) {
    const query = new URLSearchParams(window.location.search);
    if (text) query.set('edits', text); else query.delete('edits');
    const search = query.size ? '?' + query.toString().replace(/%3A/g, ':').replace(/%2C/g, ',') : '';
    if (search === window.location.search) return;
    if (!fresh) window.history.replaceState(window.history.state, '', window.location.pathname + search);
    window.dash_clientside.set_props('url', { search: search });
  }

  let by = { tool: '', when: -Infinity }; /* what made the newest step, when it was a key */
  function commit(text, words, tool, keyed) {
    pending = null;
    if (text === steps[at].text) { sync(); draw(); return; }
    if (tooMuch(text)) return;
    const joined = keyed && at && by.tool === tool && performance.now() - by.when < PAUSE_MS;
    by = { tool: keyed ? tool : '', when: performance.now() };
    steps = [...steps.slice(0, joined ? at : at + 1), { text: text, words: words, label: '', thumb: '' }];
    at = steps.length - 1;
    address(text, !joined);
    settle();
  }
  function tooMuch(text) {
    if (text.length <= CHARACTERS && text.split(',').length <= CHANGES) return false;
    pending = null;
    complain('The link can hold no more changes, so this one was not made. Use this picture as it is now, and go on with that.');
    show(answers.get(key(steps[at].text)));
    sync();
    return true;
  }
  function go(place) {
    if (!steps[place] || place === at) return;
    pending = null;
    by = { tool: '', when: -Infinity };
    at = place;
    address(steps[at].text, true);
    settle();
  }
  function complain(words) {
    complaint = words;
    write('error', words);
  }
  function settle() {
    complain('');
    sync();
    strip();
    ask(steps[at].text);
  }
  /* the address changed: by the browser's arrows, or by a link */
  function adopt(text) {
    if (text === steps[at].text) return;
    if (parse(text) === null) { settle(); complain('The changes in the link cannot be read, so they were not made.'); return; }
    const near = [at - 1, at + 1, ...steps.keys()].find((place) => steps[place] && steps[place].text === text);
    pending = null;
    if (near === undefined) { steps = [...steps.slice(0, at + 1), { text: text, words: 'From the link', label: '', thumb: '' }]; at = steps.length - 1; }
    else at = near;
    settle();
  }

  /* ---- asking */
  let wanted = null, asking = false, sent = -Infinity, seen = false;
  let retried = false; /* it is asked again because it did not answer */
  function ask(text) {
    const known = answers.get(key(text));
    if (known) { wanted = null; show(known); return; }
    wanted = { held: held, text: text };
    if (!asking && seen) send();
  }
  async function send() {
    asking = true;
    while (wanted) {
      await sleep(Math.max(0, PACE_MS - (performance.now() - sent)));
      const mine = wanted, look = looks();
      wanted = null;
      if (!mine || mine.held !== held) continue;
      sent = performance.now();
      const found = await post({ image: held.image, edits: mine.text, run: held.run, engine: held.engine, look: look });
      if (mine.held !== held) continue;
      if (found.told) {
        const one = { ...found.told, text: mine.text };
        if (retried) complain('');
        retried = false;
        answers.set(`${look ? 'look ' : ''}${mine.text}`, one);
        if (answers.size > KEPT) answers.delete(answers.keys().next().value);
        note(one);
        if (!mine.quiet) show(one);
        else strip();
      } else {
        complain(found.error);
        retried = Boolean(found.again);
        ['png', 'csv'].forEach((part) => byId(part).removeAttribute('href')); /* they would be of the answer before */
        if (!found.again && mine.text) drop(mine.text);
        if (found.again && !wanted) { await sleep(found.again); if (!wanted && mine.held === held) wanted = { ...mine, text: mine.quiet ? mine.text : current() }; }
      }
      /* a step that another one overtook has its picture too */
      const bare = !wanted && pending === null && found.told && steps.find((one) => !one.label);
      if (bare) wanted = { held: held, text: bare.text, quiet: bare.text !== steps[at].text };
    }
    asking = false;
  }
  /* the server will never make these changes */
  function drop(text) {
    if (pending !== null || steps[at].text !== text || !at) return;
    const words = complaint;
    steps.splice(at, 1);
    at -= 1;
    address(steps[at].text, false);
    settle();
    complain(words);
  }
  async function post(body) {
    const limit = new AbortController(), clock = setTimeout(() => limit.abort(), PATIENCE_MS);
    try {
      const answer = await fetch(ROUTE, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal: limit.signal,
      });
      const said = await answer.json().catch(() => ({}));
      if (answer.ok) return { told: said };
      const wait = [429, 503].includes(answer.status) ? 1000 * Number(answer.headers.get('Retry-After') || 2) : 0;
      return { error: said.error || 'The server could not do this. Try again in a moment.', again: wait };
    } catch {
      return { error: 'The server does not answer. Your changes are kept here and it is asked again; until it answers, the bars are those of its last answer.', again: AGAIN_MS };
    } finally { clearTimeout(clock); }
  }
  function note(one) {
    for (const step of steps) if (step.text === one.text) { step.label = one.classes[best(one.after)]; if (step.text) step.thumb = one.image; }
  }

  /* ---- showing */
  const best = (shares) => shares.indexOf(Math.max(...shares));
  let base = null; /* ImageData of the newest picture from the server */
  async function pixelsOf(source) {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    return pen.getImageData(0, 0, canvas.width, canvas.height);
  }
  function show(one) {
    if (!one || !card()) return;
    told = one;
    ground = one.ground;
    note(one);
    bars(one);
    card().dataset.shown = one.text;
    card().removeAttribute('aria-busy');
    const veil = byId('look');
    veil.hidden = !(looks() && one.look);
    if (one.look) veil.src = one.look;
    pixelsOf(one.image).then((found) => { if (told === one) { base = found; draw(); } });
    byId('png').setAttribute('href', one.image);
    byId('csv').setAttribute('href', one.table);
    if (one.text === steps[at].text && pending === null) {
      speak(one);
      strip();
    }
  }
  function speak(one) {
    const [was, is] = [best(one.before), best(one.after)], step = steps[at];
    const points = 100 * (one.after[was] - one.before[was]), change = `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)} points`;
    if (!one.text) { write('said', `${one.classes[was]}, ${percent(one.before[was])}. Nothing is changed yet.`); return; }
    const before = at ? steps[at - 1].label : '';
    const flips = was !== is && before === one.classes[was] ? ` It flips at this change (${step.words}).` : '';
    write('said', was === is
      ? `Still ${one.classes[is]}: ${change}.`
      : `No longer ${one.classes[was]} but ${one.classes[is]}; ${one.classes[was]} changed by ${change}.${flips}`);
  }
  function bars(one) {
    const body = byId('bars');
    const shown = likeliest(one), now = `${one.run} ${shown}`;
    if (body.dataset.shown !== now) {
      body.replaceChildren(...shown.map((place) => row(one.classes[place], place)));
      body.dataset.shown = now;
    }
    const [was, is] = [best(one.before), best(one.after)];
    shown.forEach((i, line) => {
      const [, track, before, after] = body.children[line].children;
      track.firstChild.style.setProperty('--before', one.before[i]);
      track.firstChild.style.setProperty('--after', one.after[i]);
      before.textContent = percent(one.before[i]);
      after.textContent = percent(one.after[i]);
      body.children[line].className = i === is ? 'best' : '';
    });
    write('before-label', one.classes[was]);
    write('after-label', one.classes[is]);
    write('before', percent(one.before[was]));
    write('after', percent(one.after[is]));
    byId('after-label').className = was === is ? '' : 'flip';
  }
  /* class ids: all of a few, of many those that are likeliest before or after, as figures/probabilities.py has it */
  function likeliest(one) {
    const all = one.classes.map((_, i) => i), most = (i) => Math.max(one.before[i], one.after[i]);
    return all.length <= 16 ? all : all.sort((a, b) => most(b) - most(a)).slice(0, 10);
  }
  function row(name, place) {
    const made = document.createElement('tr'), head = document.createElement('th'), dot = document.createElement('i');
    head.scope = 'row';
    head.title = name;
    dot.className = 'dot';
    dot.style.setProperty('--c', `var(--ff-class-${place},var(--ff-line-2))`);
    const words = document.createElement('span');
    words.textContent = name;
    head.append(dot, words);
    const track = document.createElement('td'), bar = document.createElement('div');
    bar.className = 'wi-track';
    bar.style.setProperty('--c', `var(--ff-class-${place},var(--ff-line-2))`);
    bar.append(document.createElement('i'), document.createElement('u'));
    track.append(bar);
    made.append(head, track, document.createElement('td'), document.createElement('td'));
    return made;
  }
  function strip() {
    const list = byId('strip');
    if (!list) return;
    while (list.children.length > steps.length) list.lastChild.remove();
    steps.forEach((step, place) => {
      let item = list.children[place];
      if (!item) {
        item = document.createElement('li');
        const button = document.createElement('button'), image = document.createElement('img');
        button.type = 'button';
        image.alt = '';
        button.append(image, document.createElement('span'), document.createElement('small'));
        item.append(button);
        list.append(item);
      }
      const [button] = item.children, [image, words, label] = button.children;
      button.dataset.whatifStep = place;
      if (place === at) button.setAttribute('aria-current', 'step'); else button.removeAttribute('aria-current');
      if (step.thumb && image.getAttribute('src') !== step.thumb) image.src = step.thumb;
      image.style.visibility = step.thumb ? '' : 'hidden';
      words.textContent = step.words;
      const flips = place && step.label && steps[place - 1].label && step.label !== steps[place - 1].label;
      label.textContent = step.label ? (flips ? `flips: ${step.label}` : step.label) : '';
      label.className = flips ? 'flip' : '';
    });
    const now = list.children[at];
    /* one step alone never overflows, and to ask would lay the page out in the middle of an answer */
    if (now && steps.length > 1 && list.scrollWidth > list.clientWidth) list.scrollLeft = now.offsetLeft - list.offsetLeft - list.clientWidth / 2;
    const can = { undo: at > 0, redo: at < steps.length - 1, reset: Boolean(steps[at].text), use: Boolean(steps[at].text) };
    for (const [act, on] of Object.entries(can)) document.querySelector(`#${CARD} [data-whatif-act=${act}]`).disabled = !on;
  }
  /* the sliders say what the text says; one under a hand stays */
  function sync() {
    const changes = parse(current()) || [];
    const find = (kind) => changes.findLast((one) => one.kind === kind);
    document.querySelectorAll(`#${CARD} input[data-edit]`).forEach((one) => {
      const change = find(one.dataset.edit);
      if (one.type === 'checkbox') { one.checked = changes.filter((other) => other.kind === 'invert').length % 2 === 1; return; }
      const value = change ? change.values[Number(one.dataset.place)] : Number(one.dataset.none);
      if (pending === null) one.value = value;
      said(one, value);
    });
    document.querySelector(`#${CARD} [data-whatif-act=seed]`).disabled = !find('noise');
  }
  const UNITS = {
    '°': (value) => `${number(value)}°`, '×': (value) => `${number(value)} ×`, px: (value) => `${number(value)} px`,
    '%': (value) => `${Math.round(100 * value)} %`,
  };
  const said = (input, value) => { write(`${input.id.slice(CARD.length + 1)}-said`, UNITS[input.dataset.unit](value).replace('-', '−')); };

  /* ---- sliders and switches */
  function changed(input) {
    const changes = parse(current()) || [], kind = input.dataset.edit;
    if (kind === 'invert') {
      const there = changes.findLastIndex((one) => one.kind === kind);
      if (there >= 0) changes.splice(there, 1); else changes.push({ kind: kind, values: [] });
      return changes;
    }
    const all = [...document.querySelectorAll(`#${CARD} input[data-edit=${kind}]`)];
    let change = changes.findLast((one) => one.kind === kind);
    if (!change) { change = { kind: kind, values: all.map((one) => Number(one.dataset.none)).concat(kind === 'noise' ? [0] : []) }; changes.push(change); }
    change.values[Number(input.dataset.place)] = Number(input.value);
    if (all.every((one) => change.values[Number(one.dataset.place)] === Number(one.dataset.none))) changes.splice(changes.indexOf(change), 1);
    return changes;
  }
  const inCard = (e, what) => e.target.closest && e.target.closest(`#${CARD} ${what}`);
  let pointed = false;
  document.addEventListener('pointerdown', (e) => { pointed = Boolean(inCard(e, 'input[type=range]')); }, true);
  document.addEventListener('keydown', (e) => { if (inCard(e, 'input[type=range]')) pointed = false; }, true);
  document.addEventListener('input', (e) => {
    const input = inCard(e, 'input[type=range]');
    if (!input || !held) return;
    if (!input.dataset.edit) { write(`${input.id.slice(CARD.length + 1)}-said`, input.value); drawMark(); return; }
    pending = textOf(changed(input));
    sync();
    ask(pending);
  });
  document.addEventListener('change', (e) => {
    const input = inCard(e, 'input');
    if (!input || !held) return;
    if (input.id === `${CARD}-looks`) { ask(current()); return; }
    if (!input.dataset.edit) return;
    const words = input.type === 'checkbox' ? (input.checked ? 'Invert' : 'Invert back')
      : `${document.querySelector(`label[for="${input.id}"]`).textContent} ${byId(`${input.id.slice(CARD.length + 1)}-said`).textContent}`;
    commit(textOf(changed(input)), words, input.id, !pointed);
  });

  const ACTS = {
    undo: () => go(at - 1),
    redo: () => go(at + 1),
    reset: () => commit('', 'Start over', 'reset', false),
    seed: () => {
      const changes = parse(current()) || [], noise = changes.findLast((one) => one.kind === 'noise');
      if (!noise) return;
      noise.values[1] = (noise.values[1] + 1) % 10000;
      commit(textOf(changes), 'Other noise', 'seed', false);
    },
    use: () => {
      if (!told || told.text !== steps[at].text) return;
      window.dash_clientside.set_props('prediction-picture-came', { data: null });
      window.dash_clientside.set_props('prediction-upload', { contents: told.image, filename: 'what-if.png' });
      window.scrollTo(0, 0);
    },
  };
  document.addEventListener('click', (e) => {
    const button = inCard(e, 'button');
    if (!button || button.disabled || !held) return;
    if (button.dataset.whatifAct) ACTS[button.dataset.whatifAct]();
    else if (button.dataset.whatifStep) go(Number(button.dataset.whatifStep));
    else if (button.dataset.whatifMode) {
      mode = button.dataset.whatifMode;
      document.querySelectorAll(`#${CARD} [data-whatif-mode]`).forEach((one) => one.setAttribute('aria-pressed', String(one === button)));
      byId('level').disabled = mode === 'erase';
    }
  });
  document.addEventListener('keydown', (e) => {
    if (!held || !(e.ctrlKey || e.metaKey) || e.altKey || !inCard(e, '*')) return;
    const letter = e.key.toLowerCase();
    if (letter !== 'z' && letter !== 'y') return;
    e.preventDefault();
    go(letter === 'y' || e.shiftKey ? at + 1 : at - 1);
  });

  /* ---- the brush: what is drawn is seen at once, and confirmed by the server's picture */
  let stroke = null;
  function draw() {
    const canvas = byId('canvas');
    if (!canvas || !base) return;
    if (canvas.width !== base.width || canvas.height !== base.height) [canvas.width, canvas.height] = [base.width, base.height];
    const now = new ImageData(new Uint8ClampedArray(base.data), base.width, base.height);
    const newest = stroke ? stroke.changes.at(-1) : (parse(current()) || []).at(-1);
    if (told && told.text !== current() && newest && newest.kind === 'brush') newest.strokes.forEach((one) => paint(now.data, now.width, now.height, one));
    canvas.toggleAttribute('data-smooth', Math.max(base.width, base.height) > 64);
    canvas.getContext('2d').putImageData(now, 0, 0);
    drawMark();
  }
  function drawMark() {
    const place = byId('mark'), canvas = byId('canvas'), size = Number(byId('size').value);
    place.hidden = !mark;
    if (!mark) return;
    Object.assign(place.style, {
      left: `${(100 * (mark[0] + 0.5 - size / 2)) / canvas.width}%`, top: `${(100 * (mark[1] + 0.5 - size / 2)) / canvas.height}%`,
      width: `${(100 * size) / canvas.width}%`, height: `${(100 * size) / canvas.height}%`,
    });
  }
  const placeOf = (e) => {
    const canvas = byId('canvas'), frame = canvas.getBoundingClientRect();
    return [
      clamp(Math.floor(((e.clientX - frame.left) / frame.width) * canvas.width), 0, canvas.width - 1),
      clamp(Math.floor(((e.clientY - frame.top) / frame.height) * canvas.height), 0, canvas.height - 1),
    ];
  };
  function begin(place) {
    const changes = parse(current()) || [];
    if (!changes.length || changes.at(-1).kind !== 'brush') changes.push({ kind: 'brush', values: [], strokes: [] });
    const one = { size: Number(byId('size').value), level: mode === 'erase' ? ground : Number(byId('level').value), points: [place] };
    changes.at(-1).strokes.push(one);
    stroke = { changes: changes, one: one };
    drawn();
  }
  function extend(place) {
    const { points } = stroke.one, end = points.at(-1);
    if (end[0] === place[0] && end[1] === place[1]) return;
    const before = points.at(-2);
    const [ax, ay] = before ? [end[0] - before[0], end[1] - before[1]] : [0, 0], [bx, by_] = [place[0] - end[0], place[1] - end[1]];
    if (before && ax * by_ === ay * bx && ax * bx + ay * by_ > 0) points[points.length - 1] = place; /* straight on */
    else if (points.length < 255) points.push(place);
    else {
      stroke.one = { ...stroke.one, points: [end, place] };
      stroke.changes.at(-1).strokes.push(stroke.one);
    }
    drawn();
  }
  function drawn() {
    pending = textOf(stroke.changes);
    draw();
    if (pending.length <= CHARACTERS) ask(pending);
  }
  function end(keyed) {
    if (!stroke) return;
    const text = textOf(stroke.changes);
    stroke = null;
    commit(text, mode === 'erase' ? 'Erased' : 'Drawn', 'brush', keyed);
  }
  const onCanvas = (e) => held && base && e.target.id === `${CARD}-canvas`;
  document.addEventListener('pointerdown', (e) => {
    if (!onCanvas(e) || e.button) return;
    e.target.setPointerCapture(e.pointerId);
    mark = null;
    begin(placeOf(e));
  });
  document.addEventListener('pointermove', (e) => {
    if (!stroke || !onCanvas(e)) return;
    (e.getCoalescedEvents ? e.getCoalescedEvents() : [e]).forEach((one) => extend(placeOf(one)));
  });
  ['pointerup', 'pointercancel'].forEach((kind) => document.addEventListener(kind, () => end(false)));
  document.addEventListener('focusin', (e) => { if (onCanvas(e) && !stroke && e.target.matches(':focus-visible')) { mark = mark || [base.width >> 1, base.height >> 1]; drawMark(); } });
  document.addEventListener('focusout', (e) => { if (e.target.id === `${CARD}-canvas`) { end(true); mark = null; if (byId('mark')) drawMark(); } });
  document.addEventListener('keydown', (e) => {
    if (!onCanvas(e) || e.ctrlKey || e.metaKey || e.altKey) return;
    const far = e.shiftKey ? 5 : 1;
    const step = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[e.key];
    if (!step && e.key !== ' ') return;
    e.preventDefault();
    if (!mark) mark = [base.width >> 1, base.height >> 1];
    if (step) mark = [clamp(mark[0] + step[0], 0, base.width - 1), clamp(mark[1] + step[1], 0, base.height - 1)];
    write('where', `Column ${mark[0] + 1}, row ${mark[1] + 1}.`);
    if (e.key === ' ') { if (!e.repeat && !stroke) begin([...mark]); }
    else if (stroke) extend([...mark]);
    drawMark();
  });
  document.addEventListener('keyup', (e) => { if (e.key === ' ' && onCanvas(e)) end(false); });

  /* below the fold nobody is asked */
  let eye = null, watched = null;
  function watch() {
    if (watched === card()) return;
    if (eye) eye.disconnect();
    watched = card();
    seen = false;
    eye = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      eye.disconnect();
      seen = true;
      if (wanted && !asking) send();
    }, { rootMargin: '160px' });
    eye.observe(watched);
  }

  const sourceOf = (state, kept) => state.origin || (kept && kept.src) || '';
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.whatif = {
    hold: function (state, search, kept) {
      if (!state || !state.image || !card()) { held = null; return still(); }
      const query = new URLSearchParams(search || ''), sample = query.get('sample');
      /* the address is ahead: it is about a picture whose answer is on its way */
      if ((state.origin || '').split(' ')[1] !== (sample || undefined)) return still();
      const now = { run: state.run, image: state.image, engine: state.engine || 'torch', source: sourceOf(state, kept), own: !state.origin };
      const text = query.get('edits') || '';
      if (!held || ['run', 'image', 'engine', 'source'].some((one) => held[one] !== now[one]) || watched !== card()) {
        const another = last && last.source !== now.source;
        held = now;
        last = now;
        answers = new Map();
        [told, base, stroke, pending, mark, wanted] = [null, null, null, null, null, null];
        if (another || !steps.length || watched !== card()) { steps = [first()]; at = 0; }
        else steps.forEach((one) => { one.label = ''; one.thumb = one.text ? '' : now.image; });
        watch();
        card().setAttribute('aria-busy', 'true');
        document.querySelectorAll(`#${CARD} [data-link]`).forEach((one) => { one.hidden = (one.dataset.link === 'own') !== now.own; });
        pixelsOf(now.image).then((found) => {
          if (held !== now || base) return;
          base = found;
          for (const [part, side] of [['shift-0', found.width], ['shift-1', found.height]]) {
            byId(part).min = -Math.floor(side / 2);
            byId(part).max = Math.floor(side / 2);
          }
          scale(Math.max(Math.min(found.width, found.height) / SIDE, 1));
          sync();
          draw();
        });
        if (another && now.own && text) { address('', false); settle(); return still(); } /* another picture begins as it is */
        if (text === steps[at].text) settle();
      }
      adopt(text);
      return still();
    },
    paint: paint,
    parse: parse,
    text: textOf,
  };
})();
