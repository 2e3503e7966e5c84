/* `?`, the button beside the theme's and every underlined word open one dialog over the page: the keys of this page and the
   words used on it, cut from /glossary, which is read once. */
(function () {
  'use strict';
  const address = window.dash_clientside.address;
  const of = (tag, words, attributes) => {
    const made = Object.assign(document.createElement(tag), attributes || {});
    if (words) made.append(...[].concat(words));
    return made;
  };
  window.dash_clientside.element = of; /* views.js builds its dialogs of it, too */
  let dialog = null, asked = null;

  function glossary() {
    asked = asked || fetch(address.of('/glossary'), { credentials: 'same-origin' }).then((answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.text();
    }).then((text) => new DOMParser().parseFromString(text, 'text/html')).catch((problem) => { asked = null; throw problem; });
    return asked;
  }

  /* what can be read on the page: its head and cards, and the open sample; not the menus of filters, which have every word */
  function read() {
    const parts = document.querySelectorAll('#main .head,#main .ff-card:not(.selbar),.drawer.open');
    return [...parts].map((part) => part.innerText).join('\n');
  }

  function frame() {
    if (dialog && document.contains(dialog)) return dialog;
    dialog = of('dialog', null, { className: 'help' });
    dialog.setAttribute('aria-label', 'Help');
    const close = of('button', 'Close', { type: 'button', className: 'btn-ff sm' });
    close.addEventListener('click', () => dialog.close());
    const whole = of('a', 'The whole glossary', { href: address.of('/glossary'), target: 'glossary' });
    const tour = of('button', 'Take the tour', { type: 'button', className: 'plain' }); /* assets/tour.js hears it */
    tour.dataset.tour = '';
    const head = of('header', [of('h2', 'Help'), tour, whole, close]);
    dialog.append(head, of('div', null, { className: 'body', tabIndex: 0 }));
    dialog.addEventListener('click', (e) => { if (e.target === dialog) dialog.close(); }); /* the ground beside it */
    document.body.append(dialog);
    return dialog;
  }

  function filled(page, slug) {
    const here = address.page(), text = read(), body = dialog.lastElementChild;
    const keys = [...page.querySelectorAll('#keys [data-page]')].filter((key) => ['', here].includes(key.dataset.page));
    const terms = [...page.querySelectorAll('section[data-spelled]')]
      .filter((term) => term.id === slug || new RegExp(term.dataset.spelled, 'i').test(text))
      .sort((a, b) => (b.id === slug) - (a.id === slug));
    const copy = (node) => document.importNode(node, true);
    const list = of('dl', keys.map(copy), { className: 'keys' });
    const words = terms.map((term) => {
      const part = of('section', [...term.children].map(copy), { className: term.id === slug ? 'asked' : '' });
      part.querySelector('h2').replaceWith(of('h4', term.querySelector('h2').textContent));
      return part;
    });
    const used = [of('h3', slug ? 'The word, and others of this page' : 'Words of this page'), ...words];
    const pressed = [of('h3', 'Keys of this page'), list];
    body.replaceChildren(...(slug ? [...used, ...pressed] : [...pressed, ...used]));
    body.scrollTop = 0;
  }

  function open(slug) {
    const shown = frame();
    glossary().then((page) => filled(page, slug)).catch(() => {
      shown.lastElementChild.replaceChildren(of('p', 'The glossary cannot be read: the server does not answer.'));
    });
    if (!shown.open) shown.showModal();
  }

  window.dash_clientside.help = open;
  document.addEventListener('click', (e) => {
    if (!e.target.closest || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    const term = e.target.closest('a.term');
    if (!term && !e.target.closest('[data-help]')) return;
    e.preventDefault();
    open(term ? term.hash.slice(1) : '');
  });
  /* first of all who listen: under the dialog no key of the page works, and Escape is the browser's own to close it */
  window.addEventListener('keydown', (e) => {
    if (dialog && dialog.open) { e.stopImmediatePropagation(); return; }
    if (e.key !== '?' || e.ctrlKey || e.metaKey || e.altKey || !e.target.closest) return;
    if (e.target.closest('input:not([type=radio]):not([type=checkbox]),select,textarea,[contenteditable],dialog')) return;
    e.preventDefault();
    open('');
  }, true);
})();
