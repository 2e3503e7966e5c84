/* Save the charts of a card as files: PNG at twice the screen's size, or SVG. Drawn again with their title, run and split,
   and with the class names that stand beside the chart on the page as an axis within it. */
(function () {
  'use strict';
  const close = (except) => document.querySelectorAll('details.save[open]').forEach((menu) => {
    if (menu !== except) menu.removeAttribute('open');
  });
  const merged = (base, more) => {
    const out = { ...base };
    for (const [key, value] of Object.entries(more || {})) {
      const nested = value && typeof value === 'object' && !Array.isArray(value);
      out[key] = nested ? merged(out[key] && typeof out[key] === 'object' ? out[key] : {}, value) : value;
    }
    return out;
  };
  const slug = (words) => words.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

  /* whose chart it is: of the run and split of the address, of a picture that has no split, or of the card's training */
  const SPLITLESS = ['/prediction', '/monitoring'];
  function context(card) {
    const picker = document.getElementById('run-picker'), path = window.dash_clientside.address.page();
    if (path === '/training') {
      const named = card.querySelector('details.save[data-titled]');
      return { run: named ? card.querySelector('.card-title').textContent : '', split: '' };
    }
    const split = new URLSearchParams(window.location.search).get('split') || 'test';
    return { run: picker ? picker.value : '', split: SPLITLESS.includes(path) ? '' : split };
  }

  function offer(url, name) {
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
  }

  async function save(chart, title, kind, number) {
    const { run, split } = context(chart.closest('.ff-card'));
    const size = { width: Math.max(chart.clientWidth, 320), height: Math.max(chart.clientHeight, 200) };
    const style = getComputedStyle(document.documentElement);
    const old = { l: 0, r: 0, t: 0, b: 0, ...(chart.layout.template.layout || {}).margin, ...chart.layout.margin };
    const margin = { l: Math.max(old.l, 12), r: Math.max(old.r, 12), t: old.t + 64, b: Math.max(old.b, 12) };
    const named = {};
    for (const [axis, side, angle] of [['yaxis', 'l', 0], ['xaxis', 'b', -45]]) {
      const here = chart.layout[axis] || {};
      if (here.type !== 'category' || here.visible !== false) continue;
      named[axis] = { visible: true, tickmode: 'linear', tick0: 0, dtick: 1, tickangle: angle, showgrid: false };
      margin[side] += 96;
    }
    const layout = merged(merged(chart.layout, named), {
      autosize: false,
      paper_bgcolor: style.getPropertyValue('--ff-solid').trim(),
      margin: margin,
      title: { text: title, subtitle: { text: [run, split].filter(Boolean).join(', ') }, x: 0, xref: 'paper', xanchor: 'left',
        y: 1, yref: 'container', yanchor: 'top', pad: { t: 14 }, font: { size: 15 } },
    });
    const dots = window.dash_clientside.dots.picture(chart);
    if (dots) layout.images = [dots];
    const url = await window.Plotly.toImage({ data: chart.data, layout: layout }, {
      format: kind,
      width: Math.round(size.width + margin.l + margin.r - old.l - old.r),
      height: Math.round(size.height + margin.t + margin.b - old.t - old.b),
      scale: kind === 'png' ? 2 : 1,
    });
    offer(url, [run.replace(/[^\w-]+/g, '-'), slug(title), number].filter(Boolean).join('-') + '.' + kind);
  }

  document.addEventListener('click', async (e) => {
    const inside = e.target.closest && e.target.closest('details.save');
    close(inside);
    const button = e.target.closest && e.target.closest('button[data-save]');
    if (!button) return;
    const card = button.closest('.ff-card');
    const charts = [...card.querySelectorAll('.js-plotly-plot')].filter((chart) => chart.layout && chart.clientWidth);
    const heading = card.querySelector('.card-title');
    const said = card.querySelector('[data-save-said]');
    said.textContent = charts.length ? '' : 'There is no chart to save yet.';
    if (!charts.length) return;
    button.disabled = true;
    try {
      for (const [place, chart] of charts.entries()) {
        const own = chart.closest('.curve') && chart.closest('.curve').querySelector('h3');
        const title = (own || heading).firstChild.textContent; /* not what is said beside it */
        await save(chart, title, button.dataset.save, charts.length > 1 && !own ? String(place + 1) : '');
      }
      close();
    } catch (error) {
      said.textContent = 'This chart could not be saved.';
    } finally {
      button.disabled = false;
    }
  });
  document.addEventListener('keydown', (e) => {
    const menu = document.querySelector('details.save[open]');
    if (e.key !== 'Escape' || !menu) return;
    menu.removeAttribute('open');
    menu.querySelector('summary').focus();
    e.stopPropagation();
  }, true);
})();
