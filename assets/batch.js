/* Many pictures at once: chosen or dropped, made small, sent some at a time, drawn as they are answered. Nothing here costs
   anything before it is used. The answers stay in this tab and are forgotten with the page. */
(function () {
  'use strict';
  const CARD = 'prediction-batch-card', SAID = 'prediction-batch-said', GRID = 'prediction-batch-grid';
  const STATE = 'prediction-batch-state';
  const MOST = 2000, MOST_BYTES = 64000000, FILE_BYTES = 30000000; /* as the server's; a test compares */
  const SIDE = 768, AT_ONCE = 24, AT_ONCE_BYTES = 8000000, PAGE = 48, TRIES = 6, DRAW_MS = 200;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const dropped = window.dash_clientside.dropped;
  const here = () => document.getElementById(CARD);
  const fresh = () => ({ rows: [], total: 0, open: false, sort: 'order', cell: {}, shown: PAGE, run: null, stop: null, said: '' });
  let batch = fresh(), drawing = null;

  const node = (type, props, ...children) => ({ type, props: { ...props, children } });
  const press = (words, props, on) => node('Button', {
    type: 'button', className: 'btn-ff sm', ...props, ...(on === undefined ? {} : { 'aria-pressed': String(on) }),
  }, words);

  /* ---- choosing */

  function choose(kind) {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    if (kind === 'folder') input.webkitdirectory = true;
    else input.accept = 'image/*,.pnm,.pgm,.ppm,.pfm,.zip,application/zip';
    input.addEventListener('change', () => take([...input.files].map((file) => [file.webkitRelativePath || file.name, file])));
    input.click();
  }

  const zip = (name) => /\.zip$/i.test(name);
  /* ---- sending */

  /* A picture larger than the server keeps becomes as large as that; one that the browser cannot read travels as it is, and
     the server says what is wrong with it. */
  async function small(file) {
    if (!/^image\/(png|jpeg|webp|gif)$/.test(file.type)) return file;
    let picture;
    try { picture = await createImageBitmap(file, { imageOrientation: 'from-image' }); } catch (error) { return file; }
    const scale = SIDE / Math.max(picture.width, picture.height);
    if (scale >= 1) { picture.close(); return file; }
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const pen = canvas.getContext('2d');
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const kind = file.type === 'image/jpeg' ? 'image/jpeg' : 'image/png'; /* what may be see-through stays so */
    return (await new Promise((done) => canvas.toBlob(done, kind, 0.92))) || file;
  }

  const pause = (ms, signal) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
  });

  /* One request; each answer goes to `hear` as it comes. Returns '' or why not every file has one. */
  async function ask(files, current, hear) {
    const form = new FormData(), run = document.getElementById('run-picker');
    for (const [name, file] of files) form.append('files', file, name);
    const ask = new URLSearchParams(window.location.search).get('ask'); /* the run that was chosen for one's own pictures */
    form.append('run', ask || (run && run.value ? `auto:${run.value}` : 'auto'));
    const prepare = document.querySelector('#prediction-preparation-mode input:checked');
    if (prepare && ['auto', 'none', 'full'].includes(prepare.value)) form.append('prepare', prepare.value);
    form.append('engine', here().querySelector('[data-batch-engine]').value);
    form.append('seen', '1');
    for (let turn = 1; ; turn++) {
      const answer = await fetch(window.dash_clientside.address.of('/api/v1/batch'), { method: 'POST', body: form, signal: current.stop.signal });
      if ((answer.status === 429 || answer.status === 503) && turn < TRIES) {
        await pause(1000 * Math.min(Number(answer.headers.get('Retry-After')) || 1, 60), current.stop.signal);
        continue;
      }
      if (!answer.ok) return ((await answer.json().catch(() => ({}))).error) || `The server answered ${answer.status}.`;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '', done = false;
      for (;;) {
        const piece = await reader.read();
        if (piece.done) break;
        const lines = (text + piece.value).split('\n');
        text = lines.pop();
        for (const line of lines) {
          const told = JSON.parse(line);
          if (told.done) { done = true; current.run = told.done.run; } else if ('file' in told) hear(told); else return told.error;
        }
      }
      return done ? '' : 'The answer broke off.';
    }
  }

  async function send(files, current) {
    let heard = 0;
    const hear = (line) => {
      const own = files[heard];
      heard += 1;
      current.rows.push({ ...line, place: current.rows.length, from: own && !zip(own[0]) ? own[2] : null });
      draw();
    };
    let why;
    try { why = await ask(files, current, hear); } catch (error) {
      why = error.name === 'AbortError' ? 'Stopped before its turn.' : 'The server did not answer.';
    }
    /* of a zip nobody here knows how many files it has */
    const silent = zip(files[0][0]) ? (why ? files : []) : files.slice(heard);
    for (const [name] of silent) current.rows.push({ file: name, error: why || 'There is no answer.', place: current.rows.length });
  }

  async function take(given) {
    const files = given.filter(([name]) => !dropped.left(name));
    if (!here()) return;
    if (batch.stop) batch.stop.abort();
    const current = batch = { ...fresh(), open: true, total: files.length, stop: new AbortController() };
    current.zips = files.some(([name]) => zip(name));
    if (!files.length) current.said = 'There is no file in what was chosen.';
    const kept = files.slice(0, MOST);
    for (const [name] of files.slice(MOST)) {
      current.rows.push({ file: name, error: `At most ${MOST.toLocaleString('en')} files are taken at once.`, place: current.rows.length });
    }
    draw(true);
    let waiting = [], bytes = 0;
    const flush = async () => {
      if (waiting.length) await send(waiting, current);
      waiting = [];
      bytes = 0;
    };
    for (const [name, file] of kept) {
      if (current.stop.signal.aborted || !here()) break;
      const most = zip(name) ? MOST_BYTES - 100000 : FILE_BYTES;
      const sent = zip(name) || file.size > most ? file : await small(file);
      if (sent.size > most) {
        current.rows.push({ file: name, error: `This file has ${(sent.size / 1e6).toFixed(1)} MB; ${most / 1e6 | 0} are the most.`, place: current.rows.length });
        continue;
      }
      if (zip(name) || bytes + sent.size > AT_ONCE_BYTES) await flush();
      waiting.push([name, sent, file]);
      bytes += sent.size;
      if (zip(name) || waiting.length >= AT_ONCE) await flush();
    }
    if (!current.stop.signal.aborted) await flush();
    if (current.stop.signal.aborted) {
      current.said = `Stopped: ${current.rows.filter((row) => row.label).length} of the files were answered.`;
    }
    current.stop = null;
    if (batch !== current || !here()) return;
    draw(true);
    const pairs = new Map();
    /* where each picture's kind said which run answers, the matrix is of the run that answered most that can be judged */
    if (current.run === 'auto') {
      const votes = new Map();
      for (const row of current.rows) if (row.label) votes.set(row.run, (votes.get(row.run) || 0) + (row.true ? 1000 : 1));
      current.run = [...votes].sort((a, b) => b[1] - a[1]).map(([name]) => name)[0] || null;
    }
    for (const row of current.rows) {
      if (!row.label || !row.true || (row.run && row.run !== current.run)) continue;
      const key = JSON.stringify([row.true, row.label]);
      pairs.set(key, (pairs.get(key) || 0) + 1);
    }
    set(STATE, { data: { run: current.run, pairs: [...pairs].map(([key, count]) => [...JSON.parse(key), count]) } });
  }

  /* ---- drawing */

  function chosen() {
    const rows = batch.rows.filter((row) => row.label
      && (!batch.cell.true || row.true === batch.cell.true) && (!batch.cell.pred || row.label === batch.cell.pred));
    const by = {
      order: (a, b) => a.place - b.place,
      sure: (a, b) => b.confidence - a.confidence,
      unsure: (a, b) => a.confidence - b.confidence,
      wrong: (a, b) => (Boolean(b.true) && b.true !== b.label) - (Boolean(a.true) && a.true !== a.label) || b.confidence - a.confidence,
    };
    return rows.sort(by[batch.sort]);
  }

  function said() {
    if (!batch.open) return [];
    const answered = batch.rows.filter((row) => row.label).length, failed = batch.rows.filter((row) => row.error);
    const count = (n) => n.toLocaleString('en');
    const busy = Boolean(batch.stop), done = Math.min(batch.rows.length, batch.total);
    const strange = batch.rows.filter(unlike).length;
    const parts = [node('P', { role: 'status', className: 'small' }, batch.said
      || `${count(answered)} answered${failed.length ? `, ${count(failed.length)} could not be read` : ''}${busy ? (batch.zips ? ' so far' : ` of ${count(batch.total)} files so far`) : ''}.`)];
    if (busy) {
      parts.push(node('Progress', { 'aria-label': 'Files answered', ...(batch.zips ? {} : { max: String(batch.total), value: String(done) }) }));
      parts.push(press('Stop', { 'data-batch-stop': '' }));
    }
    const runs = new Map();
    for (const row of batch.rows) if (row.run) runs.set(row.run, (runs.get(row.run) || 0) + 1);
    if (runs.size > 1) {
      const shares = [...runs].map(([name, n]) => `${name} ${count(n)}`).join(', ');
      parts.push(node('P', { className: 'small' }, `Each was given to the run that knows its kind: ${shares}. A matrix is of the run that answered most.`));
    }
    if (strange) {
      parts.push(node('P', { className: 'small' }, node('B', {}, `${count(strange)} of ${count(answered)}`),
        ` ${strange === 1 ? 'is' : 'are'} unlike anything the run was trained on: what it says of them is a guess.`));
    }
    if (failed.length) {
      const lines = failed.slice(0, 200).map((row) => node('Li', {}, node('B', {}, row.file), ' ', row.error));
      const more = failed.length > 200 ? [node('Li', {}, `and ${failed.length - 200} more, in the CSV`)] : [];
      parts.push(node('Details', { className: 'small' }, node('Summary', {}, `${failed.length} without an answer`), node('Ul', { tabIndex: '0' }, ...lines, ...more)));
    }
    if (batch.rows.length && !busy) {
      parts.push(node('Div', { className: 'row-ff' }, press('CSV', { 'data-batch-csv': '' }), press('Clear', { 'data-batch-clear': '' })));
    }
    return parts;
  }

  const unlike = (row) => Boolean(row.familiarity && row.familiarity.unlike);

  function tile(row) {
    const known = Boolean(row.true), right = row.true === row.label, sure = Math.floor(100 * row.confidence);
    const words = known ? (right ? 'right' : `is ${row.true}`) : row.file.split('/').pop();
    return node('Button', {
      type: 'button', className: 'tile', title: row.file, 'data-batch-open': String(row.place),
      'aria-label': `${row.file}: ${known ? `yours ${row.true}, ` : ''}${unlike(row) ? 'unlike anything it was trained on, a guess: ' : 'predicted '}${row.label}, confidence ${sure} percent`,
    },
    node('Img', { src: row.seen, alt: '', className: 'px crisp' }),
    ...(unlike(row)
      ? [node('Span', { className: 'l1 unlike' }, node('Span', {}, 'Unlike')), node('Span', { className: 'l2' }, `${row.label} ${sure}?`)]
      : [node('Span', { className: 'l1' }, node('Span', {}, row.label), node('B', {}, String(sure)))]),
    node('Span', { className: known && right ? 'l2 ok' : 'l2' }, words));
  }

  function gallery() {
    const all = batch.open ? chosen() : [];
    if (!batch.rows.some((row) => row.label)) return [];
    const named = batch.rows.some((row) => row.true && row.label);
    const ways = [['order', 'As they came'], ['sure', 'Most confident'], ['unsure', 'Least confident'], ...(named ? [['wrong', 'Wrong first']] : [])];
    const cell = [batch.cell.true && `yours ${batch.cell.true}`, batch.cell.pred && `predicted ${batch.cell.pred}`].filter(Boolean).join(', ');
    const head = node('Div', { className: 'row-ff batch-ways' },
      node('Div', { className: 'seg', role: 'group', 'aria-label': 'Order' },
        ...ways.map(([key, words]) => node('Button', { type: 'button', 'data-batch-sort': key, 'aria-pressed': String(batch.sort === key) }, words))),
      node('Span', { className: 'small quiet' }, `${all.length.toLocaleString('en')} pictures`),
      ...(cell ? [press(`${cell} ×`, { 'data-batch-all': '', 'aria-label': `Show all again, not only ${cell}` })] : []));
    const more = all.length > batch.shown ? [press(`Show ${Math.min(PAGE, all.length - batch.shown)} more`, { 'data-batch-more': '' })] : [];
    return [head, node('Div', { className: 'tiles' }, ...all.slice(0, batch.shown).map(tile)), ...more];
  }

  function draw(now) {
    if (drawing && !now) return;
    clearTimeout(drawing);
    drawing = setTimeout(() => {
      drawing = null;
      if (!here()) return;
      set(SAID, { tree: said() });
      set(GRID, { tree: gallery() });
    }, now ? 0 : DRAW_MS);
  }

  /* ---- what is done with it */

  function csv() {
    const safe = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text); /* a spreadsheet would run it as a formula */
    const cell = (value) => `"${safe(String(value === undefined ? '' : value)).replaceAll('"', '""')}"`;
    const lines = [['file', 'true', 'label', 'confidence', 'error', 'unlike'].join(','), ...batch.rows.map((row) =>
      [row.file, row.true, row.label, row.label ? row.confidence.toFixed(6) : '', row.error,
        row.familiarity ? (unlike(row) ? 'yes' : 'no') : ''].map(cell).join(','))];
    const mark = lines.some((line) => /[^\x00-\x7f]/.test(line)) ? '\ufeff' : ''; /* tells a spreadsheet that it is UTF-8 */
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([mark, lines.join('\r\n') + '\r\n'], { type: 'text/csv' }));
    link.download = `${batch.run || 'predictions'}-batch.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  /* the studio above shows one of them with all it knows: the file where there is one, else what the network saw */
  function open(row) {
    const field = document.querySelector('#prediction-upload input[type=file]');
    if (!field) return;
    const name = row.file.split('/').pop();
    const bytes = () => Uint8Array.from(atob(row.seen.split(',')[1]), (letter) => letter.charCodeAt(0));
    const parcel = new DataTransfer();
    parcel.items.add(row.from instanceof File ? row.from : new File([bytes()], name, { type: 'image/png' }));
    field.files = parcel.files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
    window.scrollTo({ top: 0 });
  }

  function narrow(truth, guess) {
    batch.cell = { true: truth, pred: guess };
    batch.shown = PAGE;
    draw(true);
  }

  /* so does a cell of the matrix */
  let plot = null;
  function hear() {
    const found = document.querySelector('#prediction-batch-graph .js-plotly-plot');
    if (!found || found === plot || !found.on) return;
    plot = found;
    plot.on('plotly_click', (e) => narrow(e.points[0].y, e.points[0].x));
  }

  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest(`#${CARD} button`);
    if (!button) return;
    const { dataset } = button;
    if ('batch' in dataset) choose(dataset.batch);
    else if ('batchStop' in dataset) batch.stop && batch.stop.abort();
    else if ('batchCsv' in dataset) csv();
    else if ('batchClear' in dataset) { batch = fresh(); set(STATE, { data: {} }); draw(true); }
    else if ('batchSort' in dataset) { batch.sort = dataset.batchSort; batch.shown = PAGE; draw(true); }
    else if ('batchMore' in dataset) { batch.shown += PAGE; draw(true); }
    else if ('batchAll' in dataset) { batch.cell = {}; draw(true); }
    else if ('batchOpen' in dataset) open(batch.rows[Number(dataset.batchOpen)]);
    else if ('batchTrue' in dataset || 'batchPred' in dataset) narrow(dataset.batchTrue, dataset.batchPred);
  });

  /* many files, a folder or a zip may be dropped anywhere on the page; this hears of it before the studio's own field does */
  document.addEventListener('drop', (e) => {
    if (!here() || !e.dataTransfer) return;
    const items = [...e.dataTransfer.items].filter((item) => item.kind === 'file');
    const folder = items.some((item) => { const entry = item.webkitGetAsEntry && item.webkitGetAsEntry(); return entry && entry.isDirectory; });
    const parcel = [...e.dataTransfer.files].some((file) => zip(file.name));
    if (!items.length || !(items.length > 1 || folder || parcel || (e.target.closest && e.target.closest(`#${CARD}`)))) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    dropped.files(e.dataTransfer, MOST).then(take);
  }, true);

  /* another page, and back: nothing is kept */
  new MutationObserver(() => {
    if (!batch.open) return;
    hear();
    if (!here()) {
      if (batch.stop) batch.stop.abort();
      batch = fresh();
    }
  }).observe(document.documentElement, { subtree: true, childList: true });
})();
