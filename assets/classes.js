/* Of many classes a page has the buttons of a few: what is typed into [data-find-class] makes those of others, each a copy of
   the pattern beside it with a class's id and name in place of two letters that no name has. */
(function () {
  'use strict';
  const PLACE = /\ue000|%EE%80%80/g, NAME = '\ue001', CODED = '%EE%80%81', MOST = 24;
  const watched = new WeakSet();

  function filled(node, place, name) {
    const put = (text) => text.replace(PLACE, place).split(NAME).join(name)
      .split(CODED).join(encodeURIComponent(name).replace(/%20/g, '+'));
    for (const one of [node, ...node.querySelectorAll('*')])
      for (const {name: key, value} of [...one.attributes]) one.setAttribute(key, put(value));
    const words = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) words.currentNode.data = put(words.currentNode.data);
    return node;
  }

  function show(field) {
    const box = field.closest('.class-choices'), holder = field.closest('[data-class-names]');
    const part = (name) => box.querySelector('[data-' + name + ']');
    const wanted = field.value.trim().toLocaleLowerCase();
    part('first').hidden = Boolean(wanted);
    if (!wanted) { part('found').replaceChildren(); part('found-said').textContent = ''; return; }
    const names = JSON.parse(holder.dataset.classNames), without = JSON.parse(box.dataset.without);
    const hits = names.map((name, place) => [place, name])
      .filter(([, name]) => name.toLocaleLowerCase().includes(wanted) && !without.includes(name));
    const made = hits.slice(0, MOST)
      .map(([place, name]) => filled(part('pattern').firstElementChild.cloneNode(true), String(place), name));
    part('found').replaceChildren(...made);
    part('found-said').textContent = hits.length > MOST ? `${MOST} of ${hits.length} found: type more of the name`
      : hits.length ? '' : 'No class is called so.';
    if (watched.has(field)) return;
    watched.add(field); /* another selection has other addresses */
    new MutationObserver(() => { if (field.value) show(field); })
      .observe(part('pattern'), {attributes: true, childList: true, subtree: true});
  }

  document.addEventListener('input', (event) => {
    const field = event.target;
    if (field.matches && field.matches('[data-find-class]')) show(field);
  });
  document.addEventListener('keydown', (event) => {
    const field = event.target;
    if (event.key !== 'Enter' || !field.matches || !field.matches('[data-find-class]')) return;
    event.preventDefault();
    const first = field.closest('.class-choices').querySelector('[data-found] button');
    if (first) first.click();
  });
})();
