/* What the server refuses of a page's own questions is told where the app tells of failures: Dash itself says nothing. */
(function () {
  'use strict';
  const ask = window.fetch;
  window.fetch = async (...what) => {
    const answer = await ask(...what);
    if ([413, 429, 503].includes(answer.status) && answer.url.includes('/_dash-update-component')) {
      answer.clone().json()
        .then((told) => window.dash_clientside.set_props('app-notice', { children: told.error }))
        .catch(() => {});
    }
    return answer;
  };
})();
