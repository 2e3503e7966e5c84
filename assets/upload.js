/* What dcc.Upload leaves out: pasting, dropping beside the field, a name for its file input, words for a file that is too
   large, which it would drop without a sound, and large photographs made small before they travel. */
(function () {
  'use strict';
  const ZONE = 'prediction-upload';
  const ANSWER = 'prediction-answer-card';
  const MOST = 12000000; /* as dashboard/services/uploads.py PAGE_BYTES; a test compares */
  const SIDE = 768; /* as dashboard/services/uploads.py SIDE, to which the server would make it small; a test compares */
  const SOON = 300; /* ms within which nothing is said of waiting */
  const PIXELS = 50000000; /* larger ones are sent as they are, for the server to refuse in words */
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
          'Allowed are PNG, JPEG, JPEG 2000, WebP, GIF, BMP, TIFF, AVIF, HEIC and PNM pictures of up to 12 MB and 25 megapixels (JPEG 50).',
      },
    });
    return true;
  }

  /* {width, height, orientation} of a JPEG or PNG as stored, null for anything else: read before a pixel is decoded */
  function header(bytes) {
    const view = new DataView(bytes);
    if (view.byteLength > 24 && view.getUint32(0) === 0x89504e47) {
      return { width: view.getUint32(16), height: view.getUint32(20), orientation: 1 };
    }
    if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
    let orientation = 1;
    for (let at = 2; at + 9 < view.byteLength && view.getUint8(at) === 0xff;) {
      const marker = view.getUint8(at + 1), length = view.getUint16(at + 2);
      if (marker === 0xe1 && view.getUint32(at + 4) === 0x45786966) orientation = turned(view, at + 10, length - 8);
      if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
        return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), orientation: orientation };
      }
      at += 2 + length;
    }
    return null;
  }

  /* the orientation, 1 to 8, that the TIFF header of an Exif segment names */
  function turned(view, start, length) {
    try {
      const tiff = new DataView(view.buffer, start, length), little = tiff.getUint16(0) === 0x4949;
      const first = tiff.getUint32(4, little), n = tiff.getUint16(first, little);
      for (let i = 0; i < n; i++) {
        const entry = first + 2 + 12 * i;
        if (tiff.getUint16(entry, little) === 0x0112) {
          const value = tiff.getUint16(entry + 8, little);
          return value >= 1 && value <= 8 ? value : 1;
        }
      }
    } catch (broken) { /* a segment that ends early names none */ }
    return 1;
  }

  /* browsers decode a picture upright; these lay it down again as it was stored, so that turning it stays a step one can see */
  const LAY = {
    1: () => [1, 0, 0, 1, 0, 0], 2: (w) => [-1, 0, 0, 1, w, 0], 3: (w, h) => [-1, 0, 0, -1, w, h],
    4: (w, h) => [1, 0, 0, -1, 0, h], 5: () => [0, 1, 1, 0, 0, 0], 6: (w) => [0, -1, 1, 0, 0, w],
    7: (w, h) => [0, -1, -1, 0, h, w], 8: (w, h) => [0, 1, -1, 0, h, 0],
  };
  /* an Exif segment that holds an orientation and nothing else: where and when it was taken stays here */
  const exif = (orientation) => new Uint8Array([
    0xff, 0xe1, 0, 34, 69, 120, 105, 102, 0, 0, 77, 77, 0, 42, 0, 0, 0, 8, 0, 1,
    1, 18, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0,
  ]);

  const came = new WeakMap(); /* what was made small → width and height before */

  /* A photograph of more than SIDE pixels → a JPEG of SIDE; anything else, and what cannot be read here, as it is. */
  async function small(file) {
    try {
      const about = header(await file.slice(0, 262144).arrayBuffer());
      if (about && (Math.max(about.width, about.height) <= SIDE || about.width * about.height > PIXELS)) return file;
      if (!about && file.type !== 'image/webp') return file;
      const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
      const scale = SIDE / Math.max(bitmap.width, bitmap.height);
      if (scale >= 1) { bitmap.close(); return file; }
      const [w, h] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
      const orientation = about ? about.orientation : 1;
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = orientation > 4 ? [h, w] : [w, h];
      const pen = canvas.getContext('2d');
      pen.imageSmoothingQuality = 'high';
      pen.setTransform(...LAY[orientation](w, h));
      pen.drawImage(bitmap, 0, 0, w, h);
      const glass = file.type !== 'image/jpeg' && clear(pen, canvas);
      const kind = glass ? 'image/png' : 'image/jpeg';
      const blob = await new Promise((done) => canvas.toBlob(done, kind, 0.92));
      if (!blob || blob.type !== kind) return file;
      const parts = kind === 'image/jpeg' && orientation > 1 ? [blob.slice(0, 2), exif(orientation), blob.slice(2)] : [blob];
      const made = new File(parts, file.name, { type: kind });
      came.set(made, [bitmap.width, bitmap.height]);
      bitmap.close();
      return made;
    } catch (unreadable) {
      return file; /* the server says what is wrong with it */
    }
  }

  function clear(pen, canvas) {
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 3; i < pixels.length; i += 4) if (pixels[i] < 255) return true;
    return false;
  }

  const parcel = (file) => {
    const made = new DataTransfer();
    made.items.add(file);
    return made;
  };
  let passing = false, last = 0; /* passing: our own event, with the file as it shall travel; last: of several, the newest */

  /* A photograph of many megapixels takes seconds to be made small: meanwhile nobody shall read what was said of another one. */
  function wait(file) {
    const say = window.dash_clientside.set_props;
    say('prediction-picture-caption', { children: `Making ${file.name.slice(0, 40)} small …` });
    for (const id of ['prediction-label', 'prediction-confidence', 'prediction-error']) say(id, { children: '' });
  }

  /* On a phone the answer lies below the field, what one may send and the camera: it comes into sight, or what was refused. */
  const NARROW = '(max-width: 767px)';
  const lead = (id, block) => {
    const part = document.getElementById(id);
    if (part && matchMedia(NARROW).matches) window.dash_clientside.reveal(part, block);
  };
  new MutationObserver((records) => {
    for (const { target } of records) if (target.id === 'prediction-error' && target.textContent) lead(target.id, 'center');
  }).observe(document.documentElement, { subtree: true, childList: true });
  document.addEventListener('click', (e) => {
    if (e.target.closest && e.target.closest('#prediction-samples-random,#prediction-samples-grid [data-search]')) lead(ANSWER);
  });

  async function take(file, hand) {
    const mine = ++last;
    const timer = setTimeout(() => { if (mine === last && input()) wait(file); }, SOON);
    const ready = await small(file);
    clearTimeout(timer);
    if (mine !== last || !input()) return;
    window.dash_clientside.set_props('prediction-picture-came', { data: came.get(ready) || null });
    passing = true;
    try { hand(ready); } finally { passing = false; }
    lead(ANSWER);
  }
  function choose(file) {
    const field = input();
    field.files = parcel(file).files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }
  function give(file) {
    if (input() && !tooLarge(file)) take(file, choose);
  }

  const within = (e) => e.target.closest && e.target.closest(`#${ZONE}`);
  const fileOf = (data) => data && [...data.files].find(Boolean);

  document.addEventListener('change', (e) => {
    if (passing || e.target !== input() || !e.target.files.length) return;
    const file = e.target.files[0];
    e.stopPropagation();
    if (tooLarge(file)) e.target.value = '';
    else take(file, choose);
  }, true);
  document.addEventListener('drop', (e) => {
    const file = fileOf(e.dataTransfer);
    if (passing || !input() || !file) return;
    e.preventDefault();
    const zone = within(e) && e.target;
    if (!zone) { give(file); return; }
    if (tooLarge(file)) return; /* the field takes none of it, and no longer looks as if it would */
    e.stopPropagation();
    take(file, (ready) => zone.dispatchEvent(new DragEvent('drop', {
      dataTransfer: parcel(ready), bubbles: true, cancelable: true,
    })));
  }, true);
  document.addEventListener('dragover', (e) => { if (input()) e.preventDefault(); });
  document.addEventListener('paste', (e) => {
    const file = fileOf(e.clipboardData);
    if (input() && file) { e.preventDefault(); give(file); }
  });
})();
