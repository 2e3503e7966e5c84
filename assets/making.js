/* "Make it now" beside a command: what was pressed, for the callback that starts the job. */
(function () {
  'use strict';
  document.addEventListener('click', (e) => {
    const pressed = e.target.closest && e.target.closest('[data-make]');
    if (!pressed || pressed.disabled) return;
    const [run, noun] = pressed.dataset.make.split(' ');
    document.querySelectorAll(`[data-make="${CSS.escape(pressed.dataset.make)}"]`).forEach((one) => { one.disabled = true; });
    window.dash_clientside.set_props('app-making-state', { data: { run, noun, at: Date.now() } });
  });
})();
