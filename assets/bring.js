/* What is dropped or chosen travels to the server in pieces that can be taken up again (tus); a folder, or several files, as one
   tar that is put together while it is read. A zone says where to: data-brings-to, the store that learns what is here then;
   -changed, one that is told of each change; -far, where progress stands; -purpose, what shall become of it; -kinds. */
(function () {
  'use strict';
  const dash = window.dash_clientside = window.dash_clientside || {};
  const set = (id, data) => dash.set_props(id, { data });
  const byId = (id) => document.getElementById(id);
  const dropped = dash.dropped, PIECE = 8 * 2 ** 20, FILES = 500000, TUS = '/api/v1/uploads', ZONE = '[data-brings-to]';

  /* ---- choosing */

  /* the fields are the browser's own; one for files, and one for a folder where the zone takes folders */
  function fields() {
    const zone = document.querySelector(ZONE);
    if (!zone || zone.querySelector('input')) return;
    for (const kind of zone.dataset.bringsKinds.split(' ')) {
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

  const about = (what) => { const zone = document.querySelector(ZONE); return zone ? zone.dataset[what] : ''; };
  const changed = () => { const store = about('bringsChanged'); if (store) set(store, Date.now()); };

  function say(words, wrong) {
    const place = byId(about('bringsFar'));
    if (!place) return;
    const line = document.createElement('p');
    line.className = wrong ? 'bad small' : 'small';
    line.textContent = words;
    place.replaceChildren(...(words ? [line] : []));
  }

  function draw(name, done, all, since) {
    const place = byId(about('bringsFar'));
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
        changed();
      });
      const ways = document.createElement('div');
      ways.className = 'row-ff';
      ways.append(hold, stop);
      head.append(title, words);
      place.replaceChildren(head, bar, ways);
    }
    bar.value = all ? done / all : 1;
    const spent = (performance.now() - since.at) / 1000, pace = (done - since.from) / Math.max(spent, 0.1);
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
  function shared(names, what) {
    let start = names[0].replace(/\.[^.]*$/, '');
    for (const one of names) while (!one.startsWith(start)) start = start.slice(0, -1);
    if (names.some((one) => /^[\p{L}\p{N}]/u.test(one.slice(start.length)))) start = start.replace(/[\p{L}\p{N}]+$/u, '');
    start = start.replace(/[^\p{L}\p{N}]+$/u, '');
    return start.length > 2 ? start : what;
  }

  async function take(given) {
    const files = given.filter(([name]) => !dropped.left(name));
    if (sending) { say('One upload at a time: cancel the one under way first, or wait.', true); return; }
    if (!files.length) { say('There is no file in what was chosen.', true); return; }
    if (files.length > FILES) { say(`More than ${FILES.toLocaleString('en')} files: make a zip or tar of them, or name their path.`, true); return; }
    const purpose = about('bringsPurpose'), what = purpose === 'run' ? 'files' : 'pictures';
    say('Reading what was chosen …');
    files.sort((a, b) => (a[0] < b[0] ? -1 : 1));
    const first = files[0][0].split('/')[0], folder = files[0][0].includes('/') && files.every(([path]) => path.startsWith(first + '/'));
    const alone = files.length === 1 && !folder;
    const name = alone ? first : `${folder ? first : shared(files.map(([path]) => path.split('/')[0]), what)}.tar`;
    let client;
    try { client = await tus(); } catch (error) { say(error.message, true); return; }
    const body = alone ? files[0][1] : tar(files), since = { at: performance.now(), from: 0 }, mark = fingerprint(purpose + name, files);
    const upload = new client.Upload(body, {
      endpoint: dash.address.of(TUS), chunkSize: PIECE, retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
      metadata: { filename: name, ...(purpose ? { purpose } : {}) }, fingerprint: async () => mark, removeFingerprintOnSuccess: true,
      onProgress: (done, all) => { if (!since.from) since.from = done; draw(name, done, all, since); },
      onError: (error) => {
        sending = null;
        const said = error.originalResponse && error.originalResponse.getBody();
        let words = 'The connection broke off. Choose the same again, and it goes on where it stopped.';
        try { words = JSON.parse(said).error || words; } catch { /* no words of the server's */ }
        say(words, true);
        changed();
      },
      onSuccess: () => {
        sending = null;
        say('');
        const id = upload.url.replace(/\/$/, '').split('/').pop();
        changed();
        const to = about('bringsTo'); /* of the page that is there by now */
        if (to && about('bringsPurpose') === purpose) set(to, { id, at: Date.now() });
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
    const zone = document.querySelector(ZONE);
    if (button && zone) zone.querySelector(`input[data-brings=${button.dataset.choose}]`).click();
  });
  for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    document.addEventListener(kind, (e) => {
      const zone = e.target.closest && e.target.closest(ZONE);
      if (!zone || !e.dataTransfer || ![...e.dataTransfer.types].includes('Files')) return;
      e.preventDefault();
      zone.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
      if (kind === 'drop') dropped.files(e.dataTransfer, FILES).then(take, () => say('What was dropped cannot be read.', true));
    });
  }
  window.addEventListener('beforeunload', (e) => { if (sending) e.preventDefault(); });
})();
