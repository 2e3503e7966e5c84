/* Steps that are switched off, and a turn and a cut by hand. What holds is in the switches and fields themselves; the
   server is told through two stores. A turn and a cut belong to one picture: another one begins as it is. */
(function () {
  'use strict';
  const STEPS = 'prediction-preparation-steps', OFF = 'prediction-preparation-off';
  const HAND = 'prediction-hand', STATE = 'prediction-hand-state', PREVIEW = 'prediction-picture-preview';
  const EDGES = ['left', 'top', 'right', 'bottom'], WHOLE = [0, 0, 1, 1];
  const HIGH = 320; /* px of the picture to draw on, at most */
  const LEAST = 0.02; /* of a side: less is a click, not a box */
  const get = (id) => document.getElementById(id);
  const field = (name) => get(`${HAND}-${name}`);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const set = (id, data) => window.dash_clientside.set_props(id, { data: data });

  /* as dashboard/pages/prediction/request.py has it */
  const stamp = (source) => `${source.length}:${source.slice(-48)}`;
  const source = () => {
    const image = document.querySelector(`#${PREVIEW} img`);
    return image ? window.dash_clientside.address.within(image.getAttribute('src')) : '';
  };

  function read() {
    const number = (name, none) => {
      const value = parseFloat(field(name).value);
      return Number.isFinite(value) ? value : none;
    };
    const box = EDGES.map((name, place) => clamp(number(name, 100 * WHOLE[place]), 0, 100) / 100);
    for (const axis of [0, 1]) if (box[axis] >= box[axis + 2]) { box[axis] = 0; box[axis + 2] = 1; }
    return { turn: clamp(number('turn', 0), -180, 180), box: box };
  }

  function write(turn, box) {
    field('turn').value = turn;
    EDGES.forEach((name, place) => { field(name).value = Math.round(100 * box[place]); });
    draw();
  }

  /* the turned picture lies in the smallest upright frame around it, as Pillow's rotate(expand=True) has it */
  function draw() {
    const stage = field('stage'), image = field('picture');
    if (!stage || !image.naturalWidth) return;
    const { turn, box } = read(), angle = (turn * Math.PI) / 180;
    const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
    const [w, h] = [image.naturalWidth, image.naturalHeight];
    const [wide, high] = [w * cos + h * sin, w * sin + h * cos];
    stage.style.aspectRatio = `${wide} / ${high}`;
    stage.style.width = `min(100%, ${Math.round((HIGH * wide) / high)}px)`;
    Object.assign(image.style, {
      width: `${(100 * w) / wide}%`, height: `${(100 * h) / high}%`,
      left: `${50 - (50 * w) / wide}%`, top: `${50 - (50 * h) / high}%`, transform: `rotate(${-turn}deg)`,
    });
    Object.assign(stage.querySelector('.cut').style, {
      left: `${100 * box[0]}%`, top: `${100 * box[1]}%`,
      right: `${100 - 100 * box[2]}%`, bottom: `${100 - 100 * box[3]}%`,
    });
  }

  let told = '';
  function tell() {
    const { turn, box } = read();
    const now = { turn: turn, box: box.every((end, place) => end === WHOLE[place]) ? null : box, of: stamp(source()) };
    if (JSON.stringify(now) === told) return;
    told = JSON.stringify(now);
    set(STATE, now);
  }

  const switches = () => [...document.querySelectorAll(`#${STEPS} input[type=checkbox]`)];
  const off = () => switches().filter((one) => !one.checked).map((one) => one.id.replace('prediction-preparation-', ''));

  /* the picture on the left came: the one to draw on is the same */
  const known = new WeakMap();
  function renew(preview) {
    const panel = get(HAND), now = preview.getAttribute('src');
    if (!panel) return;
    if (known.get(panel) === now) return;
    known.set(panel, now);
    told = '';
    field('picture').src = now;
    write(0, WHOLE);
  }
  document.addEventListener('load', (e) => { /* does not bubble, but is seen on its way down */
    if (!e.target.closest) return;
    if (e.target.closest(`#${PREVIEW}`)) renew(e.target);
    else if (e.target.id === `${HAND}-picture`) draw();
  }, true);

  document.addEventListener('change', (e) => {
    if (e.target.closest && e.target.closest(`#${STEPS}`)) set(OFF, off());
    else if (e.target.closest && e.target.closest(`#${HAND}`)) { draw(); tell(); }
  });
  document.addEventListener('input', (e) => {
    if (e.target.closest && e.target.closest(`#${HAND}`)) draw();
  });
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest(`#${HAND} button, #prediction-preparation-reset`);
    if (!button) return;
    const { turn, box } = read();
    if (button.dataset.turn) {
      const next = turn + Number(button.dataset.turn);
      write(next > 180 ? next - 360 : next < -180 ? next + 360 : next, box);
    } else {
      write(0, WHOLE);
    }
    if (button.id === 'prediction-preparation-reset' && off().length) {
      switches().forEach((one) => { one.checked = true; });
      set(OFF, []);
    }
    if (told || button.dataset.turn) tell();
  });

  /* the same picture prepared another way, or asked of another run; how the answer is told stays */
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('.prediction [data-way], .prediction [data-run]');
    if (!button) return;
    const query = new URLSearchParams(window.location.search), { way, run } = button.dataset;
    if (run) query.set('run', run);
    if (way && way !== 'usual') query.set('way', way); else query.delete('way');
    window.dash_clientside.set_props('url', { search: query.size ? '?' + query.toString() : '' });
  });

  let drag = null;
  const share = (e) => [
    clamp((e.clientX - drag.frame.left) / drag.frame.width, 0, 1),
    clamp((e.clientY - drag.frame.top) / drag.frame.height, 0, 1),
  ];
  document.addEventListener('pointerdown', (e) => {
    const stage = e.target.closest && e.target.closest(`#${HAND}-stage`);
    if (!stage || e.button) return;
    e.preventDefault();
    drag = { frame: stage.getBoundingClientRect(), before: read() };
    drag.from = share(e);
  });
  document.addEventListener('pointermove', (e) => {
    if (!drag) return;
    const [from, to] = [drag.from, share(e)];
    const box = [0, 1, 2, 3].map((i) => (i < 2 ? Math.min : Math.max)(from[i % 2], to[i % 2]));
    drag.drawn = box[2] - box[0] >= LEAST && box[3] - box[1] >= LEAST;
    if (drag.drawn) write(drag.before.turn, box);
  });
  ['pointerup', 'pointercancel'].forEach((kind) => document.addEventListener(kind, () => {
    if (!drag) return;
    if (drag.drawn) tell();
    drag = null;
  }));
})();
