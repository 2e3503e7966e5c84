/* The search of every page: a field over the page, opened by its button in the head or by `/`. What is typed is asked of the
   server, what it finds are permalinks; arrows choose, Enter opens, Ctrl and Enter or a click with Ctrl in another tab. */
(function () {
  'use strict';
  const address = window.dash_clientside.address;
  const WAIT_MS = 120, LIST = 'search-list', EMPTY = 'What can be found: classes, a class and what it was taken for (two names), ' +
    'failure modes (unsure), slices, images by number (17, test 17, or 3, 17, 9), runs and their notes, saved views, notes of feedback, ' +
    'decisions on labels, pages and words of the field. Several words must all be there; their beginnings are enough.';
  let dialog = null, field = null, list = null, said = null, timer = null, asking = null, at = 0;
  let drawn = '', eager = false; /* the question whose answer is shown; whether Enter came before the answer */

  const of = (tag, words, properties, attributes) => {
    const made = Object.assign(document.createElement(tag), properties || {});
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    if (words) made.append(...[].concat(words));
    return made;
  };

  function frame() {
    if (dialog && document.contains(dialog)) return;
    dialog = of('dialog', null, { className: 'find' }, { 'aria-label': 'Search' });
    field = of('input', null, { type: 'search', className: 'form-control', autocomplete: 'off', spellcheck: false, maxLength: 80 }, {
      role: 'combobox', 'aria-expanded': 'false', 'aria-controls': LIST, 'aria-autocomplete': 'list', 'aria-label': 'Search',
      placeholder: 'Search',
    });
    const close = of('button', 'Close', { type: 'button', className: 'btn-ff sm ghost' });
    close.addEventListener('click', () => dialog.close());
    said = of('p', null, { className: 'quiet small' }, { role: 'status' });
    list = of('div', null, { id: LIST }, { role: 'listbox', 'aria-label': 'Found', tabindex: '-1' });
    list.hidden = true;
    dialog.append(of('header', [field, close]), said, list);
    field.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(ask, WAIT_MS); });
    dialog.addEventListener('click', (e) => {
      if (e.target === dialog) dialog.close(); /* the ground beside it */
      const chosen = e.target.closest('[role=option]');
      if (!chosen || e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      open(chosen);
    });
    dialog.addEventListener('close', () => { clearTimeout(timer); eager = false; if (asking) asking.abort(); });
    document.body.append(dialog);
  }

  function show() {
    frame();
    if (dialog.open) return;
    dialog.showModal();
    field.focus();
    field.select();
    ask();
  }

  const options = () => [...list.querySelectorAll('[role=option]')];
  function mark(next) {
    const all = options();
    if (!all.length) { field.removeAttribute('aria-activedescendant'); return; }
    at = (next + all.length) % all.length;
    all.forEach((one, place) => one.setAttribute('aria-selected', String(place === at)));
    field.setAttribute('aria-activedescendant', all[at].id);
    all[at].scrollIntoView({ block: 'nearest' });
  }

  function draw(found, question) {
    const kinds = [...new Set(found.map((one) => one.kind))];
    let place = 0;
    list.replaceChildren(...kinds.map((kind) => of('div', [
      of('span', kind, { className: 'kind' }, { 'aria-hidden': 'true' }),
      of('div', found.filter((one) => one.kind === kind).map((one) => option(one, place++))),
    ], null, { role: 'group', 'aria-label': kind })));
    list.hidden = !found.length;
    field.setAttribute('aria-expanded', String(found.length > 0));
    said.textContent = found.length ? `${found.length} found` : question ? `Nothing here is called “${question}”. ${EMPTY}` : EMPTY;
    said.classList.toggle('sr', found.length > 0);
    mark(0);
    drawn = question;
    if (eager && found.length) open(options()[0]);
    eager = false;
  }

  function option(one, place) {
    const link = of('a', null, { id: `search-option-${place}`, tabIndex: -1 }, {
      role: 'option', 'aria-selected': 'false', href: one.term ? address.of(`/glossary#${one.term}`) : address.of(one.path + one.search),
    });
    const count = one.count < 0 ? [] : [of('small', `${one.count.toLocaleString('en')} image${one.count === 1 ? '' : 's'}`)];
    link.append(of('b', one.title), of('span', one.more, { className: 'quiet' }), ...count);
    Object.assign(link.dataset, one.term ? { term: one.term } : { to: one.path, query: one.search });
    return link;
  }

  async function ask() {
    const question = field.value.trim(), asked = asking = (asking && asking.abort(), new AbortController());
    if (!question) { draw([], ''); return; }
    const query = new URLSearchParams({ q: question, here: window.location.search, path: address.page() });
    try {
      const answer = await fetch(address.of('/search?' + query), { signal: asked.signal, credentials: 'same-origin' });
      const told = await answer.json();
      if (asked !== asking) return;
      if (answer.ok) draw(told, question); else trouble(told.error);
    } catch (problem) {
      if (asked === asking && problem.name !== 'AbortError') trouble('The server does not answer.');
    }
  }

  function trouble(words) {
    eager = false;
    draw([], '');
    said.textContent = words;
  }

  function open(chosen) {
    const { term, to, query } = chosen.dataset;
    dialog.close();
    if (term) { window.dash_clientside.help(term); return; }
    if (to === '/' && query) window.dash_clientside.gallery(query);
    else window.dash_clientside.set_props('url', to === address.page() ? { search: query } : { search: query, pathname: address.of(to) });
    if (to !== address.page()) window.scrollTo(0, 0);
  }

  document.addEventListener('click', (e) => {
    if (e.target.closest && e.target.closest('[data-find]')) show();
  });
  /* before all who listen: in the field no key of the page works */
  window.addEventListener('keydown', (e) => {
    if (dialog && dialog.open) {
      e.stopImmediatePropagation();
      if (e.key === 'Escape') { e.preventDefault(); dialog.close(); } /* which alone would empty the field first */
      const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (step) { e.preventDefault(); mark(at + step); }
      if (e.key === 'Enter' && e.target === field) {
        e.preventDefault();
        const chosen = options()[at];
        if (drawn !== field.value.trim()) eager = true;
        else if (chosen && (e.ctrlKey || e.metaKey)) window.open(chosen.href, '_blank', 'noopener');
        else if (chosen) open(chosen);
      }
      return;
    }
    if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || !e.target.closest) return;
    if (e.target.closest('input:not([type=radio]):not([type=checkbox]):not([type=range]),select,textarea,[contenteditable],dialog')) return;
    e.preventDefault();
    show();
  }, true);
})();
