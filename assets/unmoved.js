/* Panels whose answer is the same whichever image is open are not asked again when one is opened, walked to or closed: of such a
   question the answer is that nothing changes, as the server says it. A test holds each of them against the server. */
(function () {
  'use strict';
  const UPDATE = '/_dash-update-component', PAGE = 'app-page.';
  const STILL = [
    'dashboard-about', 'dashboard-confusion-face', 'dashboard-accuracy-face', 'dashboard-distribution-face',
    'dashboard-confidence-face', 'dashboard-calibration-face',
    'insights-about', 'insights-epoch-face', 'insights-epoch-bar-face',
    'comparison-face', 'comparison-buckets-face', 'comparison-delta-face', 'comparison-gaps-face',
    'slices-about', 'slices-found-face', 'slices-modes-face', 'slices-saved-face', 'slices-twins-face',
    'review-about',
  ]; /* the first output of each */
  const { bare } = window.dash_clientside.address;
  const ask = window.fetch, shown = new Map(), asked = new Map();

  const first = (output) => output.replace(/^\.\./, '').split('.')[0];
  const isAddress = ({ id, property, value }) => (id === 'url' && property === 'search') || (property === 'data' && /^\?/.test(value));
  const told = (list) => (list || []).map((one) => (isAddress(one) ? { ...one, value: bare(one.value || '') } : one));
  const said = ({ inputs, state }) => JSON.stringify([told(inputs), told(state)]);
  /* a panel that comes anew names no change, and one that hears of something else has more to say */
  function moved({ inputs, changedPropIds }) {
    const changed = (inputs || []).filter(({ id, property }) => (changedPropIds || []).includes(`${id}.${property}`));
    return changed.length > 0 && changed.length === changedPropIds.length
      && changed.every(({ id, property }) => (id === 'url' && property === 'search') || property === 'data');
  }

  window.fetch = async (url, options) => {
    if (!options || typeof options.body !== 'string' || !String(url).includes(UPDATE)) {
      if (options && options.method && options.method !== 'GET') shown.clear(); /* something may be changed */
      return ask(url, options);
    }
    const body = JSON.parse(options.body), { output } = body;
    if (output.includes(PAGE)) shown.clear(); /* the panels of the page that comes are new */
    if (!STILL.includes(first(output))) return ask(url, options);
    const now = said(body), mine = {};
    if (moved(body) && shown.get(output) === now) return new Response(null, { status: 204 });
    shown.delete(output);
    asked.set(output, mine);
    const answer = await ask(url, options);
    if (answer.ok && asked.get(output) === mine) shown.set(output, now); /* of an earlier question Dash drops the answer */
    return answer;
  };
})();
