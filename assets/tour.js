/* A tour of five steps, offered once in a corner and found again in the help of `?` and in the foot of every page. Each step
   points at something real; where the page has it not, the tour goes to the page that has, or says why nobody has. */
(function () {
  'use strict';
  const SEEN = 'fashion-forward-tour', GAP = 12, MARGIN = 16, LOOK_MS = 100, PATIENCE_MS = 8000;
  const address = window.dash_clientside.address;
  const STEPS = [
    {
      at: '.runpick', title: 'Everything is of one run',
      words: 'A run is one trained network with its answers to every image. Choose another here, and every page follows.',
    },
    {
      at: '#dashboard-confusion-body', page: '/', title: 'From a number to its images',
      words: 'Rows are labels, columns what was predicted. Click a cell: its images are selected, and “See … images” leads to ' +
        'them. Open one to see why; M on it finds more like it.',
    },
    {
      at: '.selbar', page: '/', title: 'What is selected stands here',
      words: 'Each chip is a filter, and a click removes it. The address holds all of it: “Copy link” names run, images and ' +
        'filters, so that whoever opens the link sees the same, later too.',
    },
    {
      at: '#prediction-upload', page: '/prediction', title: 'Ask about a picture of your own',
      words: 'Drop a picture, paste it or use the camera. The studio shows how it is prepared, what is answered, what spoke for ' +
        'it, and whether it is like anything in training. None of it leaves this machine.',
    },
    {
      at: '[data-help]', title: 'Help is where the question arises',
      words: 'Underlined words say what they mean. ? shows the keys and the words of a page, / searches everything. Labels that ' +
        'look wrong are decided on Review, and Training makes a better run. This tour is here again, in ? and in the foot.',
    },
  ];
  let card = null, ring = null, step = 0, turn = 0, opener = null;

  const of = (tag, words, properties) => {
    const made = Object.assign(document.createElement(tag), properties || {});
    if (words) made.append(...[].concat(words));
    return made;
  };
  const button = (words, kind, on) => {
    const made = of('button', words, { type: 'button', className: `btn-ff sm ${kind}` });
    made.addEventListener('click', on);
    return made;
  };
  const cross = () => {
    const made = of('i', null, { className: 'ico ico-close' });
    made.setAttribute('aria-hidden', 'true');
    return made;
  };
  const remembered = () => { try { return localStorage.getItem(SEEN); } catch { return 'nobody can tell'; } };
  const remember = () => { try { localStorage.setItem(SEEN, 'seen'); } catch { /* private windows may have no room */ } };

  /* ---- the offer */

  function offer() {
    const later = button(cross(), 'icon ghost', () => { box.remove(); });
    later.setAttribute('aria-label', 'No tour');
    const box = of('aside', [of('span', 'New here?'), button('Take the tour (5 steps)', '', () => { start(); }), later], { className: 'tour-offer' });
    box.setAttribute('aria-label', 'Tour');
    document.body.append(box);
    remember();
  }
  /* what drives a browser is not new anywhere, and looks for other things */
  if (!navigator.webdriver && !remembered()) {
    new MutationObserver((_, waiting) => {
      if (!document.querySelector('#app-page h1')) return;
      waiting.disconnect();
      if (!card && !remembered()) offer();
    }).observe(document.documentElement, { subtree: true, childList: true });
  }

  /* ---- the steps */

  function frame() {
    if (card && document.contains(card)) return;
    ring = of('div', null, { className: 'ring' });
    ring.setAttribute('aria-hidden', 'true');
    const leave = button(cross(), 'icon ghost', () => card.close());
    leave.setAttribute('aria-label', 'Leave the tour');
    const told = of('p', null, { className: 'small quiet', id: 'tour-step' });
    told.setAttribute('role', 'status');
    const box = of('div', [
      of('header', [told, leave]), of('h2', null, { id: 'tour-title' }), of('p', null, { id: 'tour-words' }),
      of('footer', [button('Back', '', () => go(step - 1)), button('Next', 'primary', () => go(step + 1))]),
    ], { className: 'box' });
    card = of('dialog', [ring, box], { className: 'tour' });
    card.setAttribute('aria-labelledby', 'tour-title');
    card.setAttribute('aria-describedby', 'tour-words');
    card.addEventListener('click', (e) => {
      if (e.target !== card) return; /* the ground beside it is the dialog's own */
      const box = card.getBoundingClientRect();
      if (e.clientX < box.left || e.clientX > box.right || e.clientY < box.top || e.clientY > box.bottom) card.close();
    });
    card.addEventListener('close', () => {
      turn += 1;
      const active = document.activeElement; /* the browser gives it back where it can */
      if (active && active !== document.body && !card.contains(active)) return;
      const back = opener && opener !== document.body && document.contains(opener) ? opener : document.querySelector('[data-help]');
      if (back) back.focus({ preventScroll: true });
    });
    document.body.append(card);
  }

  function start() {
    document.querySelectorAll('.tour-offer').forEach((box) => box.remove());
    document.querySelectorAll('dialog[open]').forEach((other) => other.close());
    remember();
    frame();
    opener = document.activeElement;
    if (!card.open) card.showModal();
    go(0);
  }

  const here = (wanted) => {
    const found = [...document.querySelectorAll(wanted.at)].find((one) => one.getClientRects().length);
    return found && (!wanted.page || wanted.page === address.page()) ? found : null;
  };

  async function go(to) {
    if (to >= STEPS.length) { card.close(); return; }
    const mine = ++turn, wanted = STEPS[step = Math.max(to, 0)];
    const [back, next] = card.querySelectorAll('footer button');
    card.querySelector('#tour-step').textContent = `Step ${step + 1} of ${STEPS.length}`;
    card.querySelector('#tour-title').textContent = wanted.title;
    card.querySelector('#tour-words').textContent = wanted.words;
    back.disabled = step === 0;
    next.textContent = step === STEPS.length - 1 ? 'Done' : 'Next';
    next.focus({ preventScroll: true });
    place(null);
    if (wanted.page && wanted.page !== address.page()) document.querySelector(`#app-links a[data-page="${wanted.page}"]`).click();
    for (const until = performance.now() + PATIENCE_MS; !here(wanted) && performance.now() < until;) {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      if (mine !== turn) return;
    }
    const target = here(wanted);
    if (!target) {
      card.querySelector('#tour-words').textContent = `${wanted.words} It is not on the page just now: it needs a run.`;
      return;
    }
    reveal(target);
    follow(mine);
  }

  function reveal(target) {
    if (target.closest('.ff-nav')) return; /* which is always in sight */
    target.scrollIntoView({ block: target.getBoundingClientRect().height > innerHeight / 2 ? 'start' : 'center' });
  }

  /* what it points at may move, and be drawn anew, while its page is still on its way */
  function follow(mine) {
    if (mine !== turn) return;
    const target = here(STEPS[step]), box = target && target.getBoundingClientRect();
    if (box && (box.bottom < 0 || box.top > innerHeight)) reveal(target);
    place(target);
    setTimeout(() => follow(mine), 2 * LOOK_MS);
  }

  function place(target) {
    const box = target && target.getBoundingClientRect();
    ring.hidden = !box;
    card.classList.toggle('alone', !box);
    if (!box) { card.style.left = card.style.top = ''; return; }
    const edge = { left: Math.max(box.left - 6, 4), top: Math.max(box.top - 6, 4) };
    Object.assign(ring.style, {
      left: `${edge.left}px`, top: `${edge.top}px`,
      width: `${Math.min(box.right + 6, innerWidth - 4) - edge.left}px`, height: `${Math.min(box.bottom + 6, innerHeight - 4) - edge.top}px`,
    });
    const { offsetWidth: wide, offsetHeight: high } = card;
    const below = box.bottom + GAP + 6, above = box.top - GAP - 6 - high;
    const beside = box.right + GAP + 6 + wide < innerWidth - MARGIN;
    let left = Math.min(Math.max(box.left, MARGIN), innerWidth - wide - MARGIN), top = innerHeight - high - MARGIN;
    if (below + high < innerHeight - MARGIN) top = below;
    else if (above > MARGIN) top = above;
    else if (beside) { left = box.right + GAP + 6; top = Math.max(MARGIN, Math.min(box.top, innerHeight - high - MARGIN)); }
    card.style.left = `${left}px`;
    card.style.top = `${top}px`;
  }

  document.addEventListener('click', (e) => {
    if (e.target.closest && e.target.closest('[data-tour]')) start();
  });
  /* no key of the page beneath works; Escape is the browser's own to close a dialog */
  window.addEventListener('keydown', (e) => {
    if (!card || !card.open) return;
    e.stopImmediatePropagation();
    if (e.key === 'ArrowRight' || (e.key === 'ArrowLeft' && step > 0)) go(step + (e.key === 'ArrowRight' ? 1 : -1));
  }, true);
})();
