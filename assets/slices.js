/* The Slices page: names are written over in place; a button tells the server what to save under which name. */
(function () {
  'use strict';
  const tell = (data) => window.dash_clientside.set_props('slices-asked-state', { data: { ...data, at: Date.now() } });
  const nameIn = (button) => {
    const line = button.closest('li,.saved');
    const field = line ? line.querySelector('[data-name]') : null;
    if (!field) return '';
    field.dataset.sent = ''; /* the answer's list need not keep it (assets/plain.js); a refusal draws none */
    return field.textContent.trim();
  };
  const keepAll = () => {
    const field = document.getElementById('slices-name-input');
    if (!field.value.trim()) { field.focus(); return; }
    tell({ act: 'save', slice: '', name: field.value.trim() });
  };
  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('[data-keep],[data-rename],[data-remove]');
    if (!button) return;
    const { keep, rename, remove } = button.dataset;
    if (keep === '') keepAll();
    else if (keep) tell({ act: 'save', slice: keep, name: nameIn(button) });
    else if (rename) tell({ act: 'rename', slice: rename, name: nameIn(button) });
    else tell({ act: 'remove', slice: remove, name: '' });
  });
  document.addEventListener('keydown', (e) => {
    if (!e.target.matches) return;
    if (e.target.id === 'slices-name-input' && e.key === 'Enter') keepAll();
    if (!e.target.matches('.slice-name')) return;
    if (e.key === 'Escape') { e.target.textContent = e.target.dataset.name; e.target.blur(); }
    if (e.key !== 'Enter') return;
    e.preventDefault();
    const button = e.target.closest('li,.saved').querySelector('[data-keep],[data-rename]');
    if (button) button.click();
  });
  document.addEventListener('input', (e) => {
    if (e.target.matches && e.target.matches('.slice-name')) delete e.target.dataset.sent;
  });
  document.addEventListener('paste', (e) => { /* a name is one line of plain text */
    if (!e.target.closest || !e.target.closest('.slice-name')) return;
    e.preventDefault();
    document.execCommand('insertText', false, e.clipboardData.getData('text/plain').replace(/\s+/g, ' ').slice(0, 60));
  });
})();
