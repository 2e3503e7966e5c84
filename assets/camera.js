/* The camera in the studio. One question is under way at a time and each carries the newest frame, so that no frame ever waits:
   what the camera showed meanwhile was never taken. Nothing is kept; a frozen frame takes the way of an upload. */
(function () {
  'use strict';
  const ROOT = 'prediction-camera', ZONE = 'prediction-upload', PREVIEW = 'prediction-picture-preview';
  const ROUTE = window.dash_clientside.address.of('/api/v1/frame');
  const SIDE = 256; /* px of a frame that travels: the thing is looked for in a quarter of that, the network sees less */
  const FROZEN = 768; /* px of a frozen one, at most: as dashboard/services/uploads.py SIDE */
  const GAP_MS = 66; /* 15 frames a second are enough, and leave the server to others */
  const PATIENCE_MS = 8000, BACK_MS = [500, 1000, 2000, 4000];
  const STABLE_MS = 1000; /* a label that stays this long is read out */
  const KEPT_MS = 2000; /* of the pace */
  const ENOUGH = 10; /* answers a second below which only every third frame asks for an explanation */
  const UNLIKE = 'Unlike anything it was trained on'; /* as dashboard/pages/prediction/answer_text.py */
  const root = () => document.getElementById(ROOT);
  const part = (name) => root().querySelector(name);
  const now = () => performance.now();

  const OPEN = ['start', 'Start the camera', true], AGAIN = ['start', 'Try again', true], CLOSE = ['close', 'Back to pictures'];
  const FACES = {
    ask: ['Up to fifteen frames a second go to this app’s server, are answered there and forgotten: none is kept. ' +
      'Your browser will ask whether this page may use the camera.', OPEN, CLOSE],
    waiting: ['Your browser asks whether this page may use the camera. Allow it there.', ['close', 'Cancel']],
    denied: ['This page may not use the camera. To allow it, click the sign beside the address, choose Camera and Allow, ' +
      'then try again.', AGAIN, CLOSE],
    dismissed: ['The question was closed without an answer, so the camera stays off.', AGAIN, CLOSE],
    none: ['No camera was found. Connect one and try again.', AGAIN, CLOSE],
    busy: ['There is a camera, but it does not start. Another program may be using it: close that and try again.', AGAIN, CLOSE],
    ended: ['The camera stopped giving pictures. It may have been unplugged.', AGAIN, CLOSE],
    hidden: ['The camera was switched off while this page was out of sight.', ['start', 'Start again', true], CLOSE],
    insecure: ['Browsers give a camera only to pages that come by https, or from this machine itself. Open this app by https, ' +
      'or as 127.0.0.1 on the machine that runs it.', CLOSE],
    unable: ['This browser has no way to use a camera.', CLOSE],
  };
  const WHY = {
    NotFoundError: 'none', DevicesNotFoundError: 'none', OverconstrainedError: 'none',
    NotReadableError: 'busy', TrackStartError: 'busy', AbortError: 'busy', SecurityError: 'denied',
  };

  let live = null; /* the stream and all that goes with it */
  let turn = 0; /* of opening: an answer of the browser that came too late starts nothing */
  let overlay = true, mirror = null; /* mirror: null until chosen by hand */

  /* ---- faces */

  function face(name) {
    end();
    const here = root();
    if (!here) return;
    const [words, ...buttons] = FACES[name];
    here.dataset.state = name;
    part('.face p').textContent = words;
    part('.face .row-ff').replaceChildren(...buttons.map(([what, label, primary]) => {
      const made = document.createElement('button');
      made.type = 'button';
      made.className = primary ? 'btn-ff primary' : 'btn-ff';
      made.dataset.camera = what;
      made.textContent = label;
      return made;
    }));
    part('.face button').focus({ preventScroll: true });
    watch();
  }

  function close() {
    turn += 1;
    end();
    const here = root();
    if (!here || here.dataset.state === 'off') return;
    const inside = here.contains(document.activeElement);
    here.dataset.state = 'off';
    watch();
    if (inside) part('[data-camera="open"]').focus({ preventScroll: true });
  }

  function end() {
    if (!live) return;
    const gone = live;
    live = null;
    clearInterval(gone.clock);
    if (gone.asking) gone.asking.abort();
    gone.stream.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    gone.video.srcObject = null;
  }

  /* another picture came meanwhile: it is to be seen */
  let watched = null;
  function watch() {
    const on = root() && root().dataset.state !== 'off';
    if (on && !watched) {
      watched = new MutationObserver(() => close());
      watched.observe(document.getElementById(PREVIEW), { childList: true, subtree: true, attributeFilter: ['src'] });
    } else if (!on && watched) {
      watched.disconnect();
      watched = null;
    }
  }

  /* ---- opening */

  const permission = async () => {
    try { return (await navigator.permissions.query({ name: 'camera' })).state; } catch { return 'prompt'; } /* not every browser tells */
  };

  async function open() {
    const mine = ++turn;
    if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
      face(window.isSecureContext ? 'unable' : 'insecure');
      return;
    }
    const state = await permission();
    if (mine !== turn || !root()) return;
    if (state === 'granted') start(); else face(state === 'denied' ? 'denied' : 'ask');
  }

  async function start(device) {
    const mine = ++turn;
    face('waiting');
    const wanted = device ? { deviceId: { exact: device } } : { facingMode: { ideal: 'environment' } };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false, video: { ...wanted, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
      });
    } catch (error) {
      if (mine !== turn) return;
      if (device && error.name === 'OverconstrainedError') { start(); return; }
      if (error.name !== 'NotAllowedError') { face(WHY[error.name] || 'busy'); return; }
      const state = await permission();
      if (mine === turn) face(state === 'prompt' ? 'dismissed' : 'denied');
      return;
    }
    if (mine !== turn || !root()) { stream.getTracks().forEach((track) => track.stop()); return; }
    const track = stream.getVideoTracks()[0], video = part('video');
    const current = live = {
      stream, video, frame: canvas(SIDE), asking: null, trouble: 0, count: 0, answers: [], ages: [],
      label: '', since: 0, told: '', clock: setInterval(look, 250),
    };
    track.onended = () => { if (live === current) face('ended'); };
    Object.assign(video, { muted: true, playsInline: true, srcObject: stream });
    try { await video.play(); } catch { if (live === current) face('busy'); return; }
    if (gone(current)) return;
    clear();
    root().dataset.state = 'live';
    reflect(track.getSettings());
    part('[data-camera="freeze"]').focus({ preventScroll: true });
    list(track.getSettings().deviceId);
    loop(current);
  }

  function reflect(settings) {
    const front = (settings || live.stream.getVideoTracks()[0].getSettings()).facingMode !== 'environment';
    root().dataset.mirror = String(mirror === null ? front : mirror);
    part('[data-camera="mirror"]').setAttribute('aria-pressed', root().dataset.mirror);
    part('[data-camera="overlay"]').setAttribute('aria-pressed', String(overlay));
  }

  async function list(chosen) {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === 'videoinput');
    if (!live || !root()) return;
    const select = part('.pair select');
    select.replaceChildren(...found.map((one, place) => new Option(one.label || `Camera ${place + 1}`, one.deviceId)));
    select.value = chosen;
    part('.pair').hidden = found.length < 2;
  }

  /* ---- frames */

  function canvas(side) {
    const made = document.createElement('canvas');
    made.width = made.height = side;
    return made;
  }

  /* the square in the middle of what the camera shows now, as a JPEG */
  function grab(onto, quality) {
    const { video } = live, side = Math.min(video.videoWidth, video.videoHeight);
    onto.getContext('2d').drawImage(
      video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, onto.width, onto.height,
    );
    return new Promise((done) => onto.toBlob(done, 'image/jpeg', quality));
  }

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  /* stopped, or the page is another one by now */
  const gone = (current) => live !== current || !root();

  async function loop(current) {
    while (!gone(current)) {
      const taken = now();
      let wait = 0;
      try {
        const told = await ask(current);
        if (gone(current)) return;
        wait = told.wait || 0;
        if (told.error) complain(told.error);
        else await draw(current, told.answer, taken);
      } catch {
        if (gone(current)) return;
        wait = BACK_MS[Math.min(current.trouble, BACK_MS.length - 1)];
        complain('The server does not answer. The picture goes on, and it is asked again.');
      }
      await pause(Math.max(wait, GAP_MS - (now() - taken), 0));
    }
  }

  /* {answer}, or {error, wait} in the server's words; fails where it does not answer */
  async function ask(current) {
    const rate = pace(current), run = document.getElementById('run-picker');
    const wanted = overlay && (rate === null || rate >= ENOUGH || current.count % 3 === 0);
    current.count += 1;
    const body = new FormData();
    body.append('image', await grab(current.frame, 0.8), 'frame.jpg');
    body.append('run', asked(current, run && run.value));
    if (wanted) body.append('overlay', '1');
    if (live !== current) return {};
    const asking = current.asking = new AbortController(), clock = setTimeout(() => asking.abort(), PATIENCE_MS);
    try {
      const answer = await fetch(ROUTE, { method: 'POST', body, signal: asking.signal });
      const told = await answer.json();
      if (answer.ok) {
        current.run = told.run;
        return { answer: told };
      }
      current.run = ''; /* it may be gone: the next frame asks anew which */
      const after = 1000 * Number(answer.headers.get('Retry-After'));
      return { error: told.error, wait: after || BACK_MS[Math.min(current.trouble, BACK_MS.length - 1)] };
    } finally { clearTimeout(clock); }
  }

  /* the run that was chosen for one's own pictures; else, of every tenth frame, its kind says which, and those between follow */
  function asked(current, shown) {
    const ask = new URLSearchParams(window.location.search).get('ask');
    if (ask) return ask;
    const anew = !current.run || current.shown !== shown || current.count % 10 === 1;
    current.shown = shown;
    return anew ? (shown ? `auto:${shown}` : 'auto') : current.run;
  }

  function complain(words) {
    live.trouble += 1;
    root().dataset.late = 'true';
    write('.refusal', words);
  }

  async function draw(current, answer, taken) {
    const veil = answer.overlay ? new Image() : null;
    if (veil) {
      veil.src = answer.overlay;
      await veil.decode();
      if (gone(current)) return;
    }
    current.trouble = 0;
    root().dataset.late = 'false';
    write('.refusal', '');
    const percent = (share) => `${(100 * share).toFixed(0)} %`;
    part('.said').hidden = false;
    /* as of an upload: what is unlike the training data has no label for a headline */
    const unlike = Boolean(answer.familiarity && answer.familiarity.unlike), named = `${answer.label}, ${percent(answer.confidence)}`;
    root().dataset.unlike = String(unlike);
    write('.said b', unlike ? UNLIKE : answer.label);
    write('.said span', unlike ? `A guess: ${named}` : percent(answer.confidence));
    root().querySelectorAll('.pbar').forEach((row, place) => {
      const guess = answer.top[place];
      row.hidden = !guess;
      if (!guess) return;
      row.firstChild.textContent = guess.label;
      row.querySelector('i').style.width = `${100 * Math.min(guess.probability, 1)}%`;
      row.lastChild.textContent = percent(guess.probability);
    });
    if (veil || !overlay) paint(answer, veil);
    const done = now();
    current.answers.push(done);
    current.ages.push(done - taken);
    if (current.ages.length > 15) current.ages.shift();
    const said = unlike ? UNLIKE : answer.label;
    if (said !== current.label) { current.label = said; current.since = done; }
    if (current.label !== current.told && done - current.since >= STABLE_MS) {
      current.told = current.label;
      write(':scope > .visually-hidden', unlike ? `${UNLIKE}. A guess: ${named}` : named);
    }
  }

  /* what the network saw of the frame, as an outline, and what in it spoke for the class */
  function paint(answer, veil) {
    const sheet = part('canvas'), pen = sheet.getContext('2d'), [across, down] = answer.place;
    const at = (x, y) => [across, down].map((row) => sheet.width * (row[0] * x + row[1] * y + row[2]));
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, sheet.width, sheet.height);
    if (veil) {
      pen.imageSmoothingEnabled = false;
      pen.setTransform(...[across[0], down[0], across[1], down[1], across[2], down[2]].map((one) => sheet.width * one));
      pen.drawImage(veil, 0, 0, answer.width, answer.height);
      pen.setTransform(1, 0, 0, 1, 0, 0);
    }
    const outline = new Path2D();
    [[0, 0], [answer.width, 0], [answer.width, answer.height], [0, answer.height]].forEach(
      ([x, y], place) => outline[place ? 'lineTo' : 'moveTo'](...at(x, y)),
    );
    outline.closePath();
    for (const [width, colour] of [[4, 'rgba(0,0,0,.6)'], [2, 'rgba(255,255,255,.9)']]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.stroke(outline);
    }
  }

  /* ---- what is said of it */

  function write(selector, words) {
    const place = part(selector);
    if (place.textContent !== words) place.textContent = words;
  }

  function clear() {
    part('canvas').getContext('2d').clearRect(0, 0, 320, 320);
    part('.said').hidden = true;
    root().querySelectorAll('.pbar').forEach((row) => { row.hidden = true; });
    root().dataset.late = 'false';
    for (const place of ['.refusal', '.pace', ':scope > .visually-hidden']) write(place, '');
  }

  /* answers a second over the last two; null before the first two have passed */
  function pace(current) {
    const from = now() - KEPT_MS;
    if (!current.answers.length || current.answers[0] > from) return null;
    current.answers = current.answers.slice(current.answers.findIndex((one) => one > from - KEPT_MS));
    return current.answers.filter((one) => one > from).length / (KEPT_MS / 1000);
  }

  function look() {
    if (!live) return;
    if (!live.video.isConnected) { close(); return; } /* another page */
    const rate = pace(live), ages = [...live.ages].sort((a, b) => a - b);
    if (rate === null || !ages.length) return;
    write('.pace', `${rate.toFixed(0)} frames a second answered, ${ages[ages.length >> 1].toFixed(0)} ms after they were taken`);
  }

  async function freeze() {
    const { video } = live, field = document.querySelector(`#${ZONE} input[type=file]`);
    const blob = await grab(canvas(Math.min(FROZEN, video.videoWidth, video.videoHeight)), 0.92);
    if (!live || !blob || !field) return;
    const parcel = new DataTransfer();
    parcel.items.add(new File([blob], 'camera.jpg', { type: 'image/jpeg' }));
    close();
    field.files = parcel.files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }

  /* ---- hands */

  document.addEventListener('click', (e) => {
    const button = e.target.closest && e.target.closest(`#${ROOT} [data-camera]`);
    if (!button) return;
    const what = button.dataset.camera;
    if (what === 'open') open();
    else if (what === 'start') start();
    else if (what === 'close') close();
    else if (!live) return;
    else if (what === 'freeze') freeze();
    else if (what === 'overlay') { overlay = !overlay; reflect(); }
    else if (what === 'mirror') { mirror = root().dataset.mirror !== 'true'; reflect(); }
  });
  document.addEventListener('change', (e) => {
    if (live && e.target.closest && e.target.closest(`#${ROOT} select`)) start(e.target.value);
  });
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && !e.defaultPrevented && root() && root().dataset.state !== 'off') close();
  });
  document.addEventListener('visibilitychange', () => { if (document.hidden && live) face('hidden'); });
  window.addEventListener('pagehide', close);
  if (navigator.mediaDevices && navigator.mediaDevices.addEventListener) {
    navigator.mediaDevices.addEventListener('devicechange', () => {
      if (live) list(live.stream.getVideoTracks()[0].getSettings().deviceId);
    });
  }
})();
