/* What the server refuses of a page's own questions, and that it cannot be reached, is told where the app tells of failures: Dash
   itself says nothing. */
(function () {
  'use strict';
  const ask = window.fetch, NOTICE = 'app-notice';
  const AWAY = 'The server cannot be reached: what is shown may be of before. What you do next asks it again.';
  const say = (words) => window.dash_clientside.set_props(NOTICE, { children: words });
  const said = () => (document.getElementById(NOTICE) || {}).textContent === AWAY;
  window.fetch = async (...what) => {
    const own = String(what[0]).includes('/_dash-update-component');
    let answer;
    try {
      answer = await ask(...what);
    } catch (error) {
      if (own && error.name !== 'AbortError') say(AWAY);
      throw error;
    }
    if (own && [413, 429, 503].includes(answer.status)) {
      answer.clone().json().then((told) => say(told.error)).catch(() => {});
    } else if (own && answer.ok && said()) say(null);
    return answer;
  };
})();
