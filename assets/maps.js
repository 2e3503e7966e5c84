/* The maps of what spoke for which class, in the drawer of an image: the quick ones first, two requests at a time. They are begun
   at the press on an image (ahead.js), before Dash has found out what that changes, and shown each as it comes; the slower
   ones wait for somebody who walks from image to image to stay. */
(function () {
  'use strict';
  const STAYS = 250; /* ms between two images below which somebody walks */
  const LANES = 2; /* the rest of a browser's six connections are for what the page asks meanwhile */
  let job = null, early = null, last = '', seen = -Infinity; /* early: begun at a press that may yet come to nothing */

  const address = (map, layer) => (map.src && map.way === 'grad-cam' && layer && layer !== 'auto' ? `${map.src}&layer=${layer}` : map.src);
  const put = (map) => window.dash_clientside.set_props(map.id, { src: map.src, alt: map.alt });

  function fetched(mine, map) {
    if (!map.src) return Promise.resolve();
    return new Promise((done) => {
      const image = new Image();
      mine.images.push(image); /* kept, or it may be let go of before the page shows it */
      image.onload = image.onerror = done; /* of one that cannot be made the page shows the words */
      image.src = map.src;
    });
  }
  async function lane(mine, queue) {
    while (!mine.over && queue.length) {
      const map = queue.shift();
      await fetched(mine, map);
      map.there = true;
      if (mine.drawn && !mine.over) put(map);
    }
  }
  function fill(mine, maps) {
    for (let i = 0; i < LANES; i += 1) lane(mine, maps);
  }
  function made(key, shown, layer) {
    const maps = shown.maps.map((map) => ({ ...map, src: address(map, layer) }));
    return { key, maps, images: [], drawn: false, over: false };
  }
  function end(mine) {
    if (!mine) return;
    mine.over = true;
    clearTimeout(mine.timer);
    mine.images.forEach((image) => { image.src = ''; });
  }
  const named = (shown, layer) => JSON.stringify([shown, layer]);

  /* shown: what the drawer's callback says; layer: that is chosen for Grad-CAM */
  function begin(shown, layer) {
    const key = named(shown, layer);
    if ([job, early].some((one) => one && one.key === key)) return;
    end(early);
    early = made(key, shown, layer);
    fill(early, [...early.maps]);
  }

  function show(shown, layer) {
    if (!shown) return;
    const key = named(shown, layer), text = JSON.stringify(shown), news = text !== last, waits = news && performance.now() - seen < STAYS;
    if (news) seen = performance.now();
    last = text;
    if (job && job.key === key) return;
    end(job);
    if (early && early.key === key) {
      job = early;
    } else {
      end(early);
      const mine = job = made(key, shown, layer), slow = mine.maps.filter((map) => !map.quick);
      fill(mine, waits ? mine.maps.filter((map) => map.quick) : [...mine.maps]);
      if (waits) mine.timer = setTimeout(() => fill(mine, slow), STAYS);
    }
    early = null;
    const mine = job;
    if (news) mine.maps.filter((map) => !map.there).forEach((map) => window.dash_clientside.set_props(map.id, { src: '', alt: '' }));
    /* once that is drawn: an image keeps its pixels until those of another address are there */
    setTimeout(() => {
      if (mine.over) return;
      mine.drawn = true;
      mine.maps.filter((map) => map.there).forEach(put);
    }, 0);
  }

  window.dash_clientside.maps = { begin, show };
})();
