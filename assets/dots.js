/* The thousands of points of a flat map, on a canvas behind its chart: one SVG element a point takes a second to draw and
   more to recolour, and plotly's 2D WebGL compiles code at run time, which the content security policy forbids. Plotly
   keeps axes, lasso and what is under the pointer. A trace with meta.dots {colours, size, opacity} is drawn here,
   customdata saying which colour each of its points has; one with `under` beneath the others. */
(function () {
  'use strict';
  const RATIO = () => Math.min(window.devicePixelRatio || 1, 2);

  /* one round dot of each colour, in device pixels: stamping it is far cheaper than a path a point */
  function stamps({ colours, size }, ratio) {
    const side = Math.ceil(size * ratio) + 2;
    return colours.map((colour) => {
      const stamp = document.createElement('canvas');
      stamp.width = stamp.height = side;
      const pen = stamp.getContext('2d');
      pen.fillStyle = colour;
      pen.arc(side / 2, side / 2, (size * ratio) / 2, 0, 2 * Math.PI);
      pen.fill();
      return stamp;
    });
  }

  function paint(chart, pen, ratio, left, top) {
    const { xaxis, yaxis } = chart._fullLayout;
    const across = (xaxis._length * ratio) / (xaxis.range[1] - xaxis.range[0]);
    const up = (yaxis._length * ratio) / (yaxis.range[1] - yaxis.range[0]);
    const bottom = top + yaxis._length * ratio;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, xaxis._length * ratio, yaxis._length * ratio);
    pen.clip();
    const under = (trace) => (trace.meta && trace.meta.dots && trace.meta.dots.under ? 0 : 1);
    for (const { x, y, customdata, meta } of [...chart._fullData].sort((a, b) => under(a) - under(b))) {
      if (!meta || !meta.dots || !x || !x.length) continue;
      const drawn = stamps(meta.dots, ratio);
      const half = drawn[0].width / 2;
      pen.globalAlpha = meta.dots.opacity;
      for (let i = 0; i < x.length; i += 1) {
        pen.drawImage(drawn[customdata[i]], left + (x[i] - xaxis.range[0]) * across - half,
          bottom - (y[i] - yaxis.range[0]) * up - half);
      }
    }
    pen.restore();
  }

  /* all that a drawing depends on: plotly says it has drawn after a lasso and a press too, and ten thousand points take a while */
  const drawn = new WeakMap();
  const told = ({ width, height, xaxis, yaxis }, traces, ratio) => [
    width, height, ratio, ...[xaxis, yaxis].flatMap((axis) => [axis._offset, axis._length, ...axis.range]),
    ...traces.flatMap(({ x, y, customdata, meta }) => [x, y, customdata, JSON.stringify(meta)]),
  ];

  function draw(chart) {
    const around = chart.querySelector('.svg-container');
    if (!around) return;
    let canvas = around.querySelector('canvas.dots');
    if (!chart._fullData.some((trace) => trace.meta && trace.meta.dots)) {
      if (canvas) canvas.remove();
      return;
    }
    if (!canvas) {
      canvas = document.createElement('canvas');
      canvas.className = 'dots';
      around.prepend(canvas);
    }
    const { width, height, xaxis, yaxis } = chart._fullLayout;
    const ratio = RATIO(), was = drawn.get(canvas), now = told(chart._fullLayout, chart._fullData, ratio);
    if (was && was.length === now.length && now.every((one, place) => one === was[place])) return;
    drawn.set(canvas, now);
    canvas.width = Math.round(width * ratio); /* which also wipes it */
    canvas.height = Math.round(height * ratio);
    paint(chart, canvas.getContext('2d'), ratio, xaxis._offset * ratio, yaxis._offset * ratio);
  }

  /* Draws with the chart `id` from now on; waits for plotly.js if it has to. */
  function follow(id) {
    const box = document.getElementById(id);
    const chart = box && box.querySelector('.js-plotly-plot');
    if (!box) return;
    if (!chart || !chart.on || !chart._fullLayout || !chart._fullLayout.xaxis) {
      requestAnimationFrame(() => follow(id));
      return;
    }
    if (chart.dotted) return;
    chart.dotted = true;
    chart.on('plotly_afterplot', () => draw(chart));
    chart.on('plotly_relayouting', () => draw(chart));
    draw(chart);
  }

  /* What the canvas shows, as a picture of the layout, for a chart that is saved as a file; null where there is none. */
  function picture(chart) {
    if (!chart.dotted) return null;
    const { xaxis, yaxis } = chart._fullLayout;
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(xaxis._length * 2);
    canvas.height = Math.round(yaxis._length * 2);
    paint(chart, canvas.getContext('2d'), 2, 0, 0);
    const [x, right] = xaxis.range, [bottom, y] = yaxis.range;
    return { source: canvas.toDataURL(), xref: 'x', yref: 'y', x: x, y: y, sizex: right - x, sizey: y - bottom,
      sizing: 'stretch', layer: 'below' };
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.dots = { follow, picture };
})();
