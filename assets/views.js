/* Saved views: a dialog that keeps the address under a name, and a drawer with all of them, from any page. What is kept, and
   what of a link is gone, the server says (/api/v1/views); here are faces, filters, names that change, and a way back. */
(function () {
  'use strict';
  const address = window.dash_clientside.address, of = window.dash_clientside.element;
  const API = '/api/v1/views', NAME = 60, DESCRIPTION = 500, PAUSE = 200; /* ms without a key before what was typed is looked for */
  const SILENT = 'The server does not answer. Nothing was changed.';
  const byId = (id) => document.getElementById(id);

  /* what the server answers; an error has its sentence, and where a name is taken a free one */
  async function ask(method, path, sent) {
    const body = sent && { body: JSON.stringify(sent), headers: { 'Content-Type': 'application/json' } };
    let answer, said;
    try {
      answer = await fetch(address.of(API + path), { method, credentials: 'same-origin', ...body });
      said = await answer.json();
    } catch { throw Object.assign(new Error(SILENT), { free: '' }); }
    if (!answer.ok) throw Object.assign(new Error(said.error || SILENT), { free: said.free || '' });
    return { said, status: answer.status };
  }

  const button = (words, does, kind, more) => {
    const made = of('button', words, { type: 'button', className: `btn-ff sm ${kind || ''}`.trim(), ...more });
    made.addEventListener('click', does);
    return made;
  };
  function named(id, words, field) {
    const label = of('label', words, { className: 'label', htmlFor: id });
    return of('div', [label, Object.assign(field, { id })], { className: 'field' });
  }
  function fields(prefix, name, description) {
    const first = of('input', null, { type: 'text', className: 'form-control', maxLength: NAME, required: true, value: name });
    const more = of('textarea', null, { className: 'form-control', maxLength: DESCRIPTION, rows: 2, value: description });
    first.autocomplete = 'off';
    return { name: first, description: more, parts: [
      named(`${prefix}-name`, 'Name', first), named(`${prefix}-description`, 'Description, if you like', more),
    ] };
  }
  /* a form that sends, and says beneath what was wrong; a free name is one click away */
  function form(given, send, ways) {
    const wrong = of('div', null, { className: 'bad small wrong' }), go = of('button', 'Save', { type: 'submit', className: 'btn-ff primary' });
    wrong.setAttribute('role', 'alert');
    const made = of('form', [...given.parts, wrong, of('div', [go, ...ways], { className: 'row-ff' })], { noValidate: true });
    made.addEventListener('submit', async (e) => {
      e.preventDefault();
      go.disabled = true;
      wrong.replaceChildren();
      try {
        await send({ name: given.name.value, description: given.description.value });
      } catch (problem) {
        wrong.append(problem.message);
        if (problem.free) {
          wrong.append(' ', button(`Call it ${problem.free}`, () => { given.name.value = problem.free; made.requestSubmit(); }));
        }
        given.name.focus();
      }
      go.disabled = false;
    });
    return made;
  }

  function dialog(id, className, title) {
    const made = byId(id) || of('dialog', null, { id, className });
    const close = button('Close', () => made.close());
    made.setAttribute('aria-labelledby', `${id}-title`);
    made.replaceChildren(of('header', [of('h2', title, { id: `${id}-title` }), close]), of('div', null, { className: 'body' }));
    if (!document.contains(made)) {
      made.addEventListener('click', (e) => { if (e.target === made) made.close(); }); /* the ground beside it */
      document.body.append(made);
    }
    return made;
  }

  /* ---- save */
  function suggested() {
    const chips = [...document.querySelectorAll('#selection-chips .chip:not(.add)')].map((chip) => chip.innerText.trim());
    const page = document.querySelector('#app-links [aria-current=page]');
    return (chips.join(', ') || (page ? page.textContent : '')).replace(/\s+/g, ' ').slice(0, NAME).trim();
  }
  function shown() {
    const page = document.querySelector('#app-links [aria-current=page]'), picker = byId('run-picker'), n = byId('selection-count');
    const query = new URLSearchParams(window.location.search), run = picker && picker.selectedOptions[0];
    const images = n && n.textContent ? `${n.textContent} image${n.textContent === '1' ? '' : 's'}` : '';
    return [page && page.textContent, run && run.textContent.split(' · ')[0], query.get('split') || 'test', images].filter(Boolean).join(' · ');
  }
  function saving(opener) {
    const made = dialog('view-save', 'views-save', 'Save this view'), body = made.lastElementChild;
    const given = fields('view-save', suggested(), ''), link = address.page() + window.location.search;
    const cancel = button('Cancel', () => made.close(), 'ghost');
    const upload = address.page() === '/prediction' && !new URLSearchParams(window.location.search).has('sample');
    const kept = upload ? 'A picture from outside is no part of an address: the view is the page without it.'
      : 'Kept with its run, images and split, so that it shows the same later.';
    const about = of('div', [of('p', shown()), of('p', kept, { className: 'quiet' })], { className: 'small' });
    body.replaceChildren(about, form(given, async (sent) => {
      const { status } = await ask('POST', '', { ...sent, link });
      made.close();
      said(opener, status === 201 ? 'Saved' : 'Saved already');
    }, [cancel]));
    made.showModal();
    given.name.select();
    ask('GET', `?page=${encodeURIComponent(address.page())}`).then(({ said: all }) => {
      const same = all.views.find((one) => here(one.link));
      if (same) about.after(of('p', `It is saved already, as ${same.name}.`, { className: 'small good' }));
    }).catch(() => {});
  }
  function said(opener, words) {
    const told = opener.querySelector('span'), before = 'Save view';
    told.textContent = words;
    told.setAttribute('role', 'status');
    setTimeout(() => { told.textContent = before; told.removeAttribute('role'); }, 2500);
  }
  /* the same view, however its address is written */
  function here(link) {
    const [path, query] = [link.split('?')[0], link.slice(link.indexOf('?') + 1)];
    const sorted = (text) => [...new URLSearchParams(text)].map(String).sort().join('&');
    return path === address.page() && sorted(query) === sorted(new URL(window.dash_clientside.permalink()).search);
  }

  /* ---- the list */
  let list = null, asked = 0, deleted = [], editing = null;
  function opened() {
    list = dialog('views-list', 'views-list', 'Saved views');
    const text = of('input', null, { type: 'search', className: 'form-control', maxLength: 120, autocomplete: 'off' });
    text.placeholder = 'Name, description, run or who';
    const page = of('select', null, { className: 'form-select' }), data = of('select', null, { className: 'form-select' });
    const filters = of('div', [named('views-text', 'Search', text), named('views-page', 'Page', page), named('views-data', 'Data set', data)]);
    filters.className = 'filters';
    const status = of('div', null, { className: 'small told', id: 'views-told' });
    status.setAttribute('role', 'status');
    const found = of('div', null, { id: 'views-found' });
    list.lastElementChild.replaceChildren(filters, status, found);
    list.oncancel = (e) => { if (editing) { e.preventDefault(); const back = editing; editing = null; back(); } };
    let timer = null;
    text.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(() => fill(), PAUSE); });
    [page, data].forEach((select) => select.addEventListener('change', () => fill()));
    deleted = [];
    editing = null;
    list.showModal();
    text.focus();
    return fill();
  }
  function options(select, groups, every) {
    const chosen = select.value, known = groups.some((one) => one.name === chosen);
    const lines = groups.map((one) => of('option', `${one.title} (${one.n})`, { value: `=${one.name}` }));
    select.replaceChildren(of('option', every, { value: '' }), ...lines);
    select.value = chosen && groups.some((one) => `=${one.name}` === chosen) || known ? chosen : '';
  }
  async function fill(before) {
    const turn = ++asked, found = byId('views-found'), query = new URLSearchParams();
    const text = byId('views-text').value.trim(), page = byId('views-page'), data = byId('views-data');
    if (text) query.set('text', text);
    if (page.value) query.set('page', page.value.slice(1));
    if (data.value) query.set('dataset', data.value.slice(1));
    const narrowed = query.size > 0;
    if (before) query.set('before', before);
    editing = null;
    try {
      const { said: all } = await ask('GET', query.size ? `?${query}` : '');
      if (turn !== asked) return;
      options(page, all.pages, 'All pages');
      options(data, all.datasets, 'All data sets');
      const lines = all.views.map((one) => line(one, all.locked));
      const kept = before ? [...found.querySelectorAll('ul>li')] : [];
      const older = all.views.length && kept.length + lines.length < all.n
        ? [button('Show older', () => fill(all.views.at(-1).number))] : [];
      const nothing = !lines.length && !kept.length ? [empty(narrowed, all.locked)] : [];
      const count = of('p', `${all.n.toLocaleString('en')} ${all.n === 1 ? 'view' : 'views'}, the newest first`, { className: 'quiet small' });
      found.replaceChildren(...(nothing.length ? nothing : [count, of('ul', [...kept, ...lines]), ...older]));
      if (all.locked && !nothing.length) found.append(of('p', all.locked, { className: 'quiet small' }));
      if (before && lines.length) lines[0].querySelector('a').focus();
    } catch (problem) {
      if (turn !== asked) return;
      const again = button('Try again', () => fill());
      const face = of('div', [of('h3', problem.message), again], { className: 'face bad' });
      face.setAttribute('role', 'alert');
      found.replaceChildren(face);
    }
  }
  function empty(narrowed, locked) {
    if (narrowed) {
      const all = button('Show all', () => { ['views-text', 'views-page', 'views-data'].forEach((id) => { byId(id).value = ''; }); fill(); byId('views-text').focus(); });
      return of('div', [of('h3', 'No view matches these filters.'), all], { className: 'face' });
    }
    const how = locked || 'Save view, beside it on every page, keeps what the page shows under a name.';
    return of('div', [of('h3', 'No view is saved yet.'), of('p', how, { className: 'quiet' })], { className: 'face' });
  }
  function line(one, locked) {
    const at = one.link.indexOf('?'), link = of('a', one.name, { href: address.of(one.link), className: 'name' });
    Object.assign(link.dataset, { path: one.page, search: one.link.slice(at) });
    link.addEventListener('click', (e) => { if (!(e.ctrlKey || e.metaKey || e.shiftKey)) list.close(); });
    const rival = new URLSearchParams(one.link.slice(at)).get('against'), run = rival ? `${one.run} against ${rival}` : one.run;
    const is = [one.title, run, one.run ? `${one.dataset_title}, ${one.split}` : one.dataset_title].filter(Boolean).join(' · ');
    const when = one.when.replace('T', ' ').replace(/:\d\dZ$/, ' UTC');
    const mark = here(one.link) ? [of('span', 'shown now', { className: 'badge-ff info' })] : [];
    const acts = locked ? [] : [
      button('Edit', () => edit(one, made, locked), 'ghost', { ariaLabel: `Edit ${one.name}` }),
      button('Delete', () => remove(one), 'ghost', { ariaLabel: `Delete ${one.name}` }),
    ];
    const words = [
      of('div', [link, ...mark], { className: 'row-ff' }),
      ...(one.description ? [of('p', one.description)] : []),
      of('p', is, { className: 'quiet small' }),
      of('p', `${one.who || 'no name'}, ${when}`, { className: 'faint small' }),
      ...(one.gone ? [of('p', `Not here any more: ${one.gone}. Opening it shows what is nearest.`, { className: 'gone small' })] : []),
    ];
    const made = of('li', [of('div', words), of('div', acts, { className: 'row-ff acts' })]);
    made.dataset.view = one.number;
    return made;
  }
  const lineOf = (number) => byId('views-found').querySelector(`li[data-view="${number}"]`);
  function tell(...parts) { byId('views-told').replaceChildren(...parts); }

  function edit(one, made, locked) {
    const given = fields(`view-${one.number}`, one.name, one.description), back = () => {
      editing = null;
      const again = line(one, locked);
      made.replaceWith(again);
      again.querySelector('button').focus();
    };
    if (editing) editing();
    editing = back;
    made.replaceChildren(form(given, async (sent) => {
      const { said: now } = await ask('POST', `/${one.number}`, sent);
      editing = null;
      const again = line(now, locked);
      made.replaceWith(again);
      again.querySelector('a').focus();
      tell(`Saved ${now.name}.`);
    }, [button('Cancel', back, 'ghost')]));
    given.name.select();
  }
  async function remove(one) {
    try {
      await ask('DELETE', `/${one.number}`);
      deleted.push(one);
      await fill();
      undoable(`${one.name} was deleted.`);
    } catch (problem) {
      tell(problem.message);
      fill();
    }
  }
  function undoable(words) {
    const last = deleted.at(-1);
    if (!last) { tell(words); return; }
    const back = button('Undo', () => restore(last), '', { ariaLabel: `Undo: bring ${last.name} back` });
    tell(words, ' ', back);
    back.focus();
  }
  async function restore(one) {
    try {
      const { said: now } = await ask('POST', `/${one.number}/restore`);
      deleted = deleted.filter((other) => other !== one);
      await fill();
      tell(`${now.name} is back.`);
      const line = lineOf(one.number);
      (line ? line.querySelector('a') : byId('views-text')).focus();
    } catch (problem) { tell(problem.message); }
  }

  document.addEventListener('click', (e) => {
    const opener = e.target.closest && e.target.closest('[data-view-save],[data-views]');
    if (!opener) return;
    if (opener.hasAttribute('data-views')) opened(); else saving(opener);
  });
  /* under an open dialog no key of the page works */
  window.addEventListener('keydown', (e) => {
    if (document.querySelector('dialog.views-save[open],dialog.views-list[open]') && e.key !== '?') e.stopImmediatePropagation();
  }, true);
})();
