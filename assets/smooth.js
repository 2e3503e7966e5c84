/* Small pictures are shown in squares, photographs as they are. Of a picture only its file knows which it is: what has more than
   SMALL pixels a side, or more than it is shown with, is marked; 10-layout.css has the rest. Maps one points at stay squares. */
(function () {
  'use strict';
  const SMALL = 64; /* as dashboard/components/explanations.py */
  function mark(image) {
    const wide = Math.max(image.naturalWidth, image.naturalHeight), shown = image.clientWidth;
    const photograph = wide > SMALL && !image.closest('.walk');
    image.toggleAttribute('data-smooth', photograph || (shown > 0 && image.naturalWidth > shown));
  }
  document.addEventListener('load', (e) => { if (e.target instanceof HTMLImageElement) mark(e.target); }, true);
})();
