/* What dcc.Upload leaves out: pasting, dropping beside the field, a name for its file input, and words for a file that
   is too large, which it would drop without a sound. */
(function () {
  'use strict';
  const ZONE = 'prediction-upload';
  const MOST = 12000000; /* as dashboard/uploads.py PAGE_BYTES; a test compares */
  const input = () => document.querySelector(`#${ZONE} input[type=file]`);
  const mb = (bytes) => (bytes / 1e6).toFixed(1);

  function name() {
    const field = input();
    if (field && !field.hasAttribute('aria-label')) field.setAttribute('aria-label', 'Choose a picture to upload');
  }
  new MutationObserver(name).observe(document.documentElement, { subtree: true, childList: true });

  function tooLarge(file) {
    if (!file || file.size <= MOST) return false;
    window.dash_clientside.set_props('prediction-picture-state', {
      data: {
        name: file.name,
        error: `This file has ${mb(file.size)} MB, which is too much. ` +
          'Allowed are PNG, JPEG, WebP and GIF pictures of up to 12 MB and 25 megapixels (JPEG 50).',
      },
    });
    return true;
  }

  function give(file) {
    const field = input();
    if (!field || tooLarge(file)) return;
    const parcel = new DataTransfer();
    parcel.items.add(file);
    field.files = parcel.files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }

  const within = (e) => e.target.closest && e.target.closest(`#${ZONE}`);
  const fileOf = (data) => data && [...data.files].find(Boolean);

  document.addEventListener('change', (e) => {
    if (e.target === input() && tooLarge(e.target.files[0])) {
      e.stopPropagation();
      e.target.value = '';
    }
  }, true);
  document.addEventListener('drop', (e) => {
    const file = fileOf(e.dataTransfer);
    if (!input() || !file) return;
    if (!within(e)) { e.preventDefault(); give(file); return; }
    tooLarge(file);
  }, true);
  document.addEventListener('dragover', (e) => { if (input()) e.preventDefault(); });
  document.addEventListener('paste', (e) => {
    const file = fileOf(e.clipboardData);
    if (input() && file) { e.preventDefault(); give(file); }
  });
})();
