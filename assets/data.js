/* The Data page: what is dropped or chosen travels to the server in pieces that can be taken up again (tus); a folder, or many
   files, as one tar that is put together while it is read. Choices in what was understood, and buttons of rows, become stores. */
(function () {
  'use strict';
  const dash = window.dash_clientside = window.dash_clientside || {};
  const set = (id, data) => dash.set_props(id, { data });
  const byId = (id) => document.getElementById(id);
  const dropped = dash.dropped, PIECE = 8 * 2 ** 20, FILES = 500000, TUS = '/api/v1/uploads';

  dash.datasets = {
    close: (clicks) => (clicks ? null : dash.no_update),
    /* what was begun is looked at no longer; something else that was brought meanwhile is */
    begun: (of, source) => (of && source && source.id === of ? null : dash.no_update),
  };

  /* ---- choosing */

  /* the fields are the browser's own; one for files, one for a folder */
  function fields() {
    const zone = byId('data-import');
    if (!zone || zone.querySelector('input')) return;
    for (const kind of ['files', 'folder']) {
      const input = document.createElement('input');
      input.type = 'file';
      input.multiple = true;
      input.hidden = true;
      if (kind === 'folder') input.webkitdirectory = true;
      input.dataset.brings = kind;
      input.addEventListener('change', () => {
        take([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
        input.value = '';
      });
      zone.append(input);
    }
  }
  new MutationObserver(fields).observe(document.documentElement, { childList: true, subtree: true });

  /* ---- a tar of many files, whose bytes stay where they are until they are read */

  const bytes = new TextEncoder();
  function head(name, size, kind) {
    const block = new Uint8Array(512), put = (text, at) => block.set(bytes.encode(text), at);
    put(name.slice(0, 100), 0);
    put('0000644\0', 100); put('0000000\0', 108); put('0000000\0', 116);
    put(size.toString(8).padStart(11, '0') + '\0', 124); put('00000000000\0', 136);
    put('        ', 148); put(kind, 156); put('ustar\0' + '00', 257);
    const sum = block.reduce((all, one) => all + one, 0);
    put(sum.toString(8).padStart(6, '0') + '\0 ', 148);
    return block;
  }
  const pad = (size) => new Uint8Array((512 - (size % 512)) % 512);

  /* a name that is long or not plain stands in a record before it (POSIX pax) */
  function record(name) {
    const tail = ` path=${name}\n`;
    let length = bytes.encode(tail).length + 1;
    while (String(length).length + bytes.encode(tail).length !== length) length = String(length).length + bytes.encode(tail).length;
    const body = bytes.encode(length + tail);
    return [head('pax', body.length, 'x'), body, pad(body.length)];
  }

  function tar(files) {
    const parts = [];
    for (const [name, file] of files) {
      const plain = /^[\x20-\x7e]{1,100}$/.test(name);
      if (!plain) parts.push(...record(name));
      parts.push(head(plain ? name : name.replace(/[^\x20-\x7e]/g, '_'), file.size, '0'), file, pad(file.size));
    }
    parts.push(new Uint8Array(1024));
    return new Blob(parts);
  }

  /* ---- sending */

  let sending = null;
  const size = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : n >= 1e6 ? `${Math.round(n / 1e6)} MB` : `${Math.ceil(n / 1e3)} kB`);
  const time = (s) => (s < 60 ? `${Math.ceil(s)} s` : `${Math.round(s / 60)} min`);

  function say(words, wrong) {
    const place = byId('data-upload');
    if (!place) return;
    const line = document.createElement('p');
    line.className = wrong ? 'bad small' : 'small';
    line.textContent = words;
    place.replaceChildren(...(words ? [line] : []));
  }

  function draw(name, done, all, since) {
    const place = byId('data-upload');
    if (!place || !sending) return;
    let bar = place.querySelector('progress');
    if (!bar) {
      const head = document.createElement('div'), title = document.createElement('b'), words = document.createElement('span');
      head.className = 'row-ff';
      title.textContent = name;
      words.className = 'quiet small';
      words.dataset.far = '';
      bar = document.createElement('progress');
      bar.max = 1;
      bar.setAttribute('aria-label', 'Upload progress');
      const hold = document.createElement('button'), stop = document.createElement('button');
      hold.type = stop.type = 'button';
      hold.className = 'btn-ff sm';
      stop.className = 'btn-ff sm ghost';
      hold.textContent = 'Pause';
      stop.textContent = 'Cancel';
      hold.addEventListener('click', () => {
        if (!sending) return;
        const held = hold.textContent === 'Continue';
        if (held) sending.upload.start(); else sending.upload.abort();
        hold.textContent = held ? 'Pause' : 'Continue';
      });
      stop.addEventListener('click', () => {
        if (!sending) return;
        sending.upload.abort(true).catch(() => {});
        sending = null;
        say('The upload was cancelled; nothing of it is kept.');
        set('data-changed-state', Date.now());
      });
      const ways = document.createElement('div');
      ways.className = 'row-ff';
      ways.append(hold, stop);
      head.append(title, words);
      place.replaceChildren(head, bar, ways);
    }
    bar.value = all ? done / all : 1;
    const spent = (Date.now() - since.at) / 1000, pace = (done - since.from) / Math.max(spent, 0.1);
    const rest = spent > 2 && pace > 0 ? `, about ${time((all - done) / pace)} left` : '';
    place.querySelector('[data-far]').textContent = `${size(done)} of ${size(all)}${rest}`;
  }

  let library = null;
  function tus() {
    library = library || new Promise((done, fail) => {
      const script = document.createElement('script');
      script.src = dash.address.of('/assets/tus.min.js');
      script.addEventListener('load', () => done(window.tus));
      script.addEventListener('error', () => { library = null; fail(new Error('The server does not answer.')); });
      document.head.append(script);
    });
    return library;
  }

  /* the same files again are the same upload: by names, sizes and times */
  function fingerprint(name, files) {
    const text = files.map(([path, file]) => `${path}\0${file.size}\0${file.lastModified}`).join('\n');
    /* cyrb53, twice: SHA-256 is the browser's only over https and on the machine itself */
    const hash = (seed) => {
      let a = 0xdeadbeef ^ seed, b = 0x41c6ce57 ^ seed;
      for (let i = 0; i < text.length; i++) {
        const one = text.charCodeAt(i);
        a = Math.imul(a ^ one, 2654435761);
        b = Math.imul(b ^ one, 1597334677);
      }
      a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
      b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
      return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
    };
    return `fashion-upload-${name}-${hash(0)}${hash(1)}`;
  }

  /* what several files or folders are called: the words that all of their names begin with */
  function shared(names) {
    let start = names[0].replace(/\.[^.]*$/, '');
    for (const one of names) while (!one.startsWith(start)) start = start.slice(0, -1);
    if (names.some((one) => /^[\p{L}\p{N}]/u.test(one.slice(start.length)))) start = start.replace(/[\p{L}\p{N}]+$/u, '');
    start = start.replace(/[^\p{L}\p{N}]+$/u, '');
    return start.length > 2 ? start : 'pictures';
  }

  async function take(given) {
    const files = given.filter(([name]) => !dropped.left(name));
    if (sending) { say('One upload at a time: cancel the one under way first, or wait.', true); return; }
    if (!files.length) { say('There is no file in what was chosen.', true); return; }
    if (files.length > FILES) { say(`More than ${FILES.toLocaleString('en')} files: make a zip or tar of them, or name their path.`, true); return; }
    say('Reading what was chosen …');
    files.sort((a, b) => (a[0] < b[0] ? -1 : 1));
    const first = files[0][0].split('/')[0], folder = files[0][0].includes('/') && files.every(([path]) => path.startsWith(first + '/'));
    const alone = files.length === 1 && !folder;
    const name = alone ? first : `${folder ? first : shared(files.map(([path]) => path.split('/')[0]))}.tar`;
    let client;
    try { client = await tus(); } catch (error) { say(error.message, true); return; }
    const body = alone ? files[0][1] : tar(files), since = { at: Date.now(), from: 0 }, mark = fingerprint(name, files);
    const upload = new client.Upload(body, {
      endpoint: dash.address.of(TUS), chunkSize: PIECE, retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
      metadata: { filename: name }, fingerprint: async () => mark, removeFingerprintOnSuccess: true,
      onProgress: (done, all) => { if (!since.from) since.from = done; draw(name, done, all, since); },
      onError: (error) => {
        sending = null;
        const said = error.originalResponse && error.originalResponse.getBody();
        let words = 'The connection broke off. Choose the same again, and it goes on where it stopped.';
        try { words = JSON.parse(said).error || words; } catch { /* no words of the server's */ }
        say(words, true);
        set('data-changed-state', Date.now());
      },
      onSuccess: () => {
        sending = null;
        say('');
        const id = upload.url.replace(/\/$/, '').split('/').pop();
        set('data-changed-state', Date.now());
        set('data-source-state', { id, at: Date.now() });
      },
    });
    sending = { upload };
    draw(name, 0, body.size, since);
    const before = await upload.findPreviousUploads().catch(() => []);
    if (before.length) upload.resumeFromPreviousUpload(before[0]);
    upload.start();
  }

  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest('button[data-choose]');
    const zone = byId('data-import');
    if (button && zone) zone.querySelector(`input[data-brings=${button.dataset.choose}]`).click();
  });
  for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    document.addEventListener(kind, (e) => {
      const zone = e.target.closest && e.target.closest('#data-import');
      if (!zone || !e.dataTransfer || ![...e.dataTransfer.types].includes('Files')) return;
      e.preventDefault();
      zone.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
      if (kind === 'drop') dropped.files(e.dataTransfer, FILES).then(take, () => say('What was dropped cannot be read.', true));
    });
  }
  window.addEventListener('beforeunload', (e) => { if (sending) e.preventDefault(); });

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
    if (look) setTimeout(() => { const card = byId('data-look-card'); if (card) card.scrollIntoView({ block: 'start' }); }, 400);
  });
})();
