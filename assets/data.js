/* The Data page: choices in what was understood, and buttons of rows, become stores. What is brought: assets/bring.js. */
(function () {
  'use strict';
  const dash = window.dash_clientside = window.dash_clientside || {};
  const set = (id, data) => dash.set_props(id, { data });
  const byId = (id) => document.getElementById(id);

  dash.datasets = {
    close: (clicks) => (clicks ? null : dash.no_update),
    /* what was begun is looked at no longer; something else that was brought meanwhile is */
    begun: (of, source) => (of && source && source.id === of ? null : dash.no_update),
  };

  /* ---- what was understood: splits, columns and classes */

  const plan = () => byId('data-preview') && byId('data-preview').querySelector('[data-plan]');
  function parts(root) {
    /* what was chosen before stays chosen: the plan that stands there was made with it */
    const before = JSON.parse(root.dataset.chosen || '{}');
    const found = { of: root.dataset.plan, splits: { ...before.splits }, columns: { ...before.columns } };
    for (const one of root.querySelectorAll('select[data-split-of]')) if (one.value !== one.dataset.was) found.splits[one.dataset.splitOf] = one.value;
    for (const one of root.querySelectorAll('select[data-column-of]')) if (one.value !== one.dataset.was) found.columns[one.dataset.columnOf] = one.value;
    return found;
  }
  function names(root) {
    const found = { of: root.dataset.plan, names: {}, order: [] };
    for (const line of root.querySelectorAll('[data-class-of]')) {
      const field = line.querySelector('input[data-class-name]'), used = line.querySelector('input[data-class-used]');
      const name = used && !used.checked ? '' : field.value.trim();
      if (name !== line.dataset.classOf) found.names[line.dataset.classOf] = name;
      if (name && !found.order.includes(name)) found.order.push(name);
    }
    return found;
  }
  /* a field that was written in keeps that when it is drawn anew, though it may be another class's now */
  let drawn = '';
  function fresh() {
    const root = plan();
    if (!root || root.dataset.drawn === drawn) return;
    drawn = root.dataset.drawn;
    for (const one of root.querySelectorAll('[data-class-of] input')) {
      if (one.type === 'checkbox') one.checked = one.defaultChecked; else one.value = one.defaultValue;
    }
    for (const one of root.querySelectorAll('select[data-was]')) one.value = one.dataset.was;
  }
  new MutationObserver(fresh).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ['data-drawn'] });

  document.addEventListener('change', (e) => {
    const root = plan();
    if (!root || !root.contains(e.target)) return;
    if (e.target.matches('select[data-column-of=label]')) set('data-names-state', null); /* other classes */
    if (e.target.matches('select[data-split-of],select[data-column-of]')) set('data-parts-state', parts(root));
    if (e.target.matches('input[data-class-name],input[data-class-used]')) set('data-names-state', names(root));
  });
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-move]');
    if (!button) return;
    const line = button.closest('[data-class-of]'), other = button.dataset.move === 'up' ? line.previousElementSibling : line.nextElementSibling;
    if (!other) return;
    /* the values change places, not the elements: those are the server's to draw */
    const swap = (a, b, name) => { [a[name], b[name]] = [b[name], a[name]]; };
    const html = (one) => one.querySelector('[data-class-facts]');
    swap(line.dataset, other.dataset, 'classOf');
    for (const field of ['class-name', 'class-used']) {
      const [a, b] = [line, other].map((one) => one.querySelector(`input[data-${field}]`));
      swap(a, b, field === 'class-used' ? 'checked' : 'value');
      swap(a, b, 'ariaLabel');
    }
    for (const way of ['up', 'down']) swap(...[line, other].map((one) => one.querySelector(`button[data-move=${way}]`)), 'ariaLabel');
    const [a, b] = [html(line), html(other)], kept = [...a.childNodes];
    a.replaceChildren(...b.childNodes);
    b.replaceChildren(...kept);
    other.querySelector(`button[data-move=${button.dataset.move}]`).focus();
    set('data-names-state', names(plan()));
  });
  document.addEventListener('input', (e) => {
    if (!e.target.matches || !e.target.matches('input[data-class-find]')) return;
    const wanted = e.target.value.trim().toLowerCase();
    for (const line of plan().querySelectorAll('[data-class-of]')) {
      line.hidden = !!wanted && !line.dataset.classOf.toLowerCase().includes(wanted)
        && !line.querySelector('input[data-class-name]').value.toLowerCase().includes(wanted);
    }
  });

  /* ---- buttons of rows; data-sure asks once more */

  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-set-act]');
    if (button && !button.disabled) {
      if (button.dataset.sure && !button.dataset.asked) {
        const words = button.textContent, label = button.ariaLabel;
        button.dataset.asked = 'yes';
        button.textContent = button.dataset.sure;
        if (label) button.ariaLabel = `${button.dataset.sure} ${label}`;
        setTimeout(() => { if (button.dataset.asked) { delete button.dataset.asked; button.textContent = words; button.ariaLabel = label; } }, 5000);
        return;
      }
      delete button.dataset.asked;
      set('data-asked-state', { act: button.dataset.setAct, of: button.dataset.of, at: Date.now() });
      if (button.dataset.setAct === 'look') byId('data-preview-card').scrollIntoView({ block: 'nearest' });
    }
    const save = e.target.closest && e.target.closest('button[data-save-set]');
    if (save) {
      const form = save.parentElement, text = (name) => form.querySelector(`input[data-edit=${name}]`).value;
      set('data-look-edit', { of: save.dataset.saveSet, title: text('title'), description: text('description'), at: Date.now() });
    }
    const look = e.target.closest && e.target.closest('button[data-to-look]');
    if (look) setTimeout(() => { const card = byId('data-look-card'); if (card) window.dash_clientside.reveal(card); }, 400);
  });
})();
