/* Addresses of the app, which may stand beneath a path of a proxy: the server writes that into the page's config. All else
   calls pages and routes by their own names, as if the app stood at "/"; dashboard/web/proxy.py says the rest. */
(function () {
  'use strict';
  const config = JSON.parse(document.getElementById('_dash-config').textContent);
  const root = config.requests_pathname_prefix.replace(/\/$/, ''), depth = root.split('/').length;
  const unescaped = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

  /* of('/insights') is where the browser finds it; within(…) is the way back, from the path alone */
  const of = (path) => root + path;
  function within(path) {
    if (!root || !path.startsWith('/')) return path;
    const parts = path.split('/'); /* the address bar may have other escapes */
    return unescaped(parts.slice(0, depth).join('/')) === unescaped(root) ? '/' + parts.slice(depth).join('/') : path;
  }

  /* the search part without what says which image is open, and how the studio has prepared it */
  const IMAGE = ['sample', 'way', 'edits'];
  function bare(search) {
    const query = new URLSearchParams(search);
    IMAGE.forEach((name) => query.delete(name));
    const text = query.toString();
    return text && '?' + text;
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.address = { of, within, bare, page: () => within(window.location.pathname) };
})();
