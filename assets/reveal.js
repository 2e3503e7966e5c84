/* Brings a part of the page into sight and keeps it there while what is above it grows: panels draw their charts once they
   are near the window, so on a phone a way down past four of them would end a screen or two too early. Whatever the person
   does next is followed by nothing. */
(function () {
  'use strict';
  const FOR_MS = 4000; /* charts that are slow to come; later changes are not for the one who was led here */
  const HANDS = ['wheel', 'touchstart', 'pointerdown', 'keydown'];
  let stop = () => {};

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.reveal = (part, block = 'start') => {
    stop();
    const lead = () => { if (part.isConnected) part.scrollIntoView({ block }); };
    const grown = new ResizeObserver(lead); /* tells of the height that is already there at once, too */
    const timer = setTimeout(() => stop(), FOR_MS);
    stop = () => {
      grown.disconnect();
      clearTimeout(timer);
      HANDS.forEach((kind) => document.removeEventListener(kind, stop, true));
      stop = () => {};
    };
    HANDS.forEach((kind) => document.addEventListener(kind, stop, { capture: true, passive: true }));
    lead();
    grown.observe(document.body);
  };
})();
