/* What is dropped: files with their folders, and which of them are what a system leaves beside pictures. For batch.js and
   bring.js. */
(function () {
  'use strict';
  async function inside(entry, path, found, most) {
    if (found.length > most) return;
    if (entry.isFile) {
      found.push([path + entry.name, await new Promise((done, fail) => entry.file(done, fail))]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const one of some) await inside(one, path + entry.name + '/', found, most);
    }
  }

  async function files(data, most) {
    const entries = [...data.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    if (!entries.length) return [...data.files].map((file) => [file.name, file]);
    const found = [];
    for (const entry of entries) await inside(entry, '', found, most);
    return found;
  }

  /* what systems leave in folders: as ml/images/file_names.py; a test compares */
  const LEFT_FILES = /^(thumbs\.db|ehthumbs\.db|ehthumbs_vista\.db|desktop\.ini|picasa\.ini|icon\r)$/;
  const LEFT_FOLDERS = /^(__macosx|@eadir|#recycle|#snapshot|@recycle|@recently-snapshot|\$recycle\.bin|system volume information|lost\+found|__pycache__)$/;
  function left(name) {
    const parts = name.replace(/\\/g, '/').toLowerCase().split('/'), file = parts[parts.length - 1];
    return /^(\.|~\$)/.test(file) || /:zone\.identifier$/.test(file) || LEFT_FILES.test(file)
      || parts.some((one) => LEFT_FOLDERS.test(one) || (one.startsWith('.') && /[^.]/.test(one)));
  }

  (window.dash_clientside = window.dash_clientside || {}).dropped = { files, left };
})();
