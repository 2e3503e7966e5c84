/* What the server refuses of a page's own questions, and that it cannot be reached, is told where the app tells of failures: Dash
   itself says nothing. */
(function () {
  'use strict';
  const ask = window.fetch, NOTICE = 'app-notice';
  const AWAY = 'The server cannot be reached: what is shown may be of before. What you do next asks it again.';
  const say = (words) => window.dash_clientside.set_props(NOTICE, { children: words });
  const said = () => (document.getElementById(NOTICE) || {}).textContent === AWAY;
  /* a face that says that it waits for this question waits no longer; a page that comes anew asks it again */
  const part = (type, props) => ({ namespace: 'dash_html_components', type, props });
  const ended = part('Div', { className: 'face bad', role: 'alert', children: [
    part('H3', { children: 'The server did not answer this.' }),
    part('P', { className: 'quiet', children: 'Nothing is lost: it can be asked again.' }),
    part('Div', { className: 'row-ff', children: part('A', { className: 'btn-ff sm', href: '', children: 'Try again' }) }),
  ] });
  function release(body) {
    for (const [, id] of String(body).matchAll(/"id":"([\w-]+)","property":"children"/g)) {
      const place = document.getElementById(id);
      if (place && place.querySelector('.face.wait')) window.dash_clientside.set_props(id, { children: ended });
    }
  }
  window.fetch = async (...what) => {
    const own = String(what[0]).includes('/_dash-update-component');
    let answer;
    try {
      answer = await ask(...what);
    } catch (error) {
      if (own && error.name !== 'AbortError') { say(AWAY); release((what[1] || {}).body); }
      throw error;
    }
    if (own && !answer.ok) release((what[1] || {}).body);
    if (own && [413, 429, 503].includes(answer.status)) {
      answer.clone().json().then((told) => say(told.error)).catch(() => {});
    } else if (own && answer.ok && said()) say(null);
    return answer;
  };
})();
