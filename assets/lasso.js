/* Drawing around points of a flat map. What is drawn is known when the pointer lets go: the address of what is inside is made
   here, as the server would (dashboard/components/lasso.py), and the filter bar is asked for it and drawn. Plotly, which
   draws the whole chart anew and lets nothing else be drawn meanwhile, hears of the end right after, or after 150 ms; then the
   address changes. With Shift or Alt held, of touches, and in a chart that is of another address than the page, the server
   makes the address of what plotly says. */
(function () {
  'use strict';
  const LEAST = 12; /* pixels: a box that is thinner is a band across the chart for plotly */
  const LATE_MS = 600; /* after which nobody waits for plotly */
  let held = null, pending = null, mine = false, release = null;

  function settle() {
    if (!pending) return;
    const { search, of, timer } = pending;
    pending = null;
    clearTimeout(timer);
    if (of === window.location.search) window.dash_clientside.set_props('url', { search });
  }
  /* whether what plotly has to say is what was made an address here */
  function taken() {
    const known = mine;
    mine = false;
    settle();
    return known;
  }
  /* what plotly has not heard of yet, in case something else is done */
  function finish() {
    if (release) release();
    settle();
  }

  const apart = ([x, y], [ax, ay], [bx, by]) => {
    const [dx, dy] = [bx - ax, by - ay], long = dx * dx + dy * dy;
    const at = long ? Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / long, 0), 1) : 0;
    return Math.hypot(x - ax - at * dx, y - ay - at * dy);
  };
  /* Douglas and Peucker: without the points that are no farther than `step` from the line that stays */
  function thin(line, step) {
    const stays = new Uint8Array(line.length), open = [[0, line.length - 1]];
    stays[0] = stays[line.length - 1] = 1;
    while (open.length) {
      const [from, to] = open.pop();
      let most = -1, place = 0;
      for (let i = from + 1; i < to; i += 1) {
        const far = apart(line[i], line[from], line[to]);
        if (far > most) { most = far; place = i; }
      }
      if (most > step) { stays[place] = 1; open.push([from, place], [place, to]); }
    }
    return line.filter((_, i) => stays[i]);
  }
  /* [[x, y], …] as it stands in an address, '' for what is no outline */
  function written(line, most) {
    const [across, up] = [0, 1].map((axis) => line.map((point) => point[axis]));
    const size = Math.max(...[across, up].map((all) => Math.max(...all) - Math.min(...all)));
    if (!(size > 0) || line.length < 3) return '';
    let digits = 0, step = size / 1000, small = thin(line, step);
    while (digits < 12 && 10 ** -digits > size / 1000) digits += 1;
    while (small.length > most) { step *= 1.5; small = thin(line, step); }
    /* as the server writes it: six digits, and never the exponent that String gives small numbers */
    const short = (fixed) => (fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed);
    const text = (value) => short((Number((Number(value.toFixed(digits)) + 0).toPrecision(6)) + 0).toFixed(digits));
    const points = small.map((point) => point.map(text).join());
    if (points.length > 3 && points[0] === points[points.length - 1]) points.pop();
    const each = [...new Set(points)];
    return each.length < 3 ? '' : each.join(';');
  }

  /* pixels of the window → [[x, y], …] of the chart */
  function drawn({ chart, mode, box, path }) {
    const { xaxis, yaxis } = chart._fullLayout, part = (at, size) => Math.min(Math.max(at / size, 0), 1);
    const line = path.map(([x, y]) => [
      xaxis.range[0] + part(x - box.left, box.width) * (xaxis.range[1] - xaxis.range[0]),
      yaxis.range[1] - part(y - box.top, box.height) * (yaxis.range[1] - yaxis.range[0]),
    ]);
    if (mode === 'lasso') return line;
    const [[left, top], [right, bottom]] = [line[0], line[line.length - 1]];
    return [[left, top], [right, top], [right, bottom], [left, bottom]];
  }
  function bare({ mode, path }) {
    const far = [0, 1].map((axis) => path.map((point) => point[axis]));
    const [wide, high] = mode === 'select' ? far.map((all) => Math.abs(all[0] - all[all.length - 1]))
      : far.map((all) => Math.max(...all) - Math.min(...all));
    return wide < LEAST || high < LEAST;
  }

  document.addEventListener('pointerdown', (e) => {
    finish();
    held = null;
    mine = false;
    if (e.button || !e.isPrimary || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    const area = e.target.closest && e.target.closest('.nsewdrag'), chart = area && area.closest('.js-plotly-plot');
    const lead = chart && chart.layout && chart.layout.meta, mode = chart && chart._fullLayout.dragmode;
    if (!lead || !lead.lasso || lead.of !== window.location.search || !['lasso', 'select'].includes(mode)) return;
    held = { chart, lead, mode, box: area.getBoundingClientRect(), path: [[e.clientX, e.clientY]] };
  }, true);
  document.addEventListener('pointermove', (e) => { if (held) held.path.push([e.clientX, e.clientY]); }, { passive: true, capture: true });
  document.addEventListener('pointercancel', () => { held = null; }, true);
  document.addEventListener('pointerup', (e) => {
    const one = held;
    held = null;
    if (!one || bare(one)) return;
    const { lasso, of, most } = one.lead, outline = written(drawn(one), most);
    if (!outline || of !== window.location.search) return;
    const search = lasso.replace(/([?&]lasso=[a-z-]+:)/, (name) => name + outline), { ahead } = window.dash_clientside;
    pending = { search, of, timer: setTimeout(settle, LATE_MS) };
    mine = true;
    one.chart.once('plotly_selected', settle);
    if (ahead.narrows(search)) wait(ahead.show(search), e.pointerType === 'mouse');
  }, true);

  /* keeps the end of the drawing from plotly until the bar is painted */
  function wait(shown, withheld) {
    let ended = null;
    const end = (e) => { e.stopPropagation(); ended = e; }, still = (e) => e.stopPropagation();
    const go = release = () => {
      if (release !== go) return;
      release = null;
      document.removeEventListener('mouseup', end, true);
      document.removeEventListener('mousemove', still, true);
      if (ended) ended.target.dispatchEvent(new MouseEvent('mouseup', ended));
    };
    if (!withheld) { release = null; return; }
    document.addEventListener('mouseup', end, true);
    document.addEventListener('mousemove', still, true);
    const painted = () => { requestAnimationFrame(() => setTimeout(go)); setTimeout(go, 100); };
    shown.then(painted, painted);
  }
  document.addEventListener('keydown', finish, true);

  window.dash_clientside.lasso = { taken, written };
})();
