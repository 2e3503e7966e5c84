/* What Dash's renderer need not do. It keeps one store, and every component looks at it whenever it changes: some hundred times
   for a click, most of them for the list of callbacks under way, which no component shows. Here components hear of what they
   can show, and once for all that changes in one go; the renderer's own bookkeeping, which listens before, hears everything.
   And of the callbacks that listen to the address, those of pages that are not there are left out from the start: the renderer
   would compare each with each, and with all that may follow from them, before it drops them. */
(function () {
  'use strict';
  const UNSHOWN = ['callbacks'];
  /* while somebody types or chooses, a component must hear at once: React puts back what a field does not hold by then */
  const FIELDS = ['input', 'change', 'keydown', 'keyup', 'keypress', 'paste', 'cut', 'blur', 'focusout', 'compositionend'];
  const MANY = 8; /* callbacks on one property; of fewer, looking costs as much as it saves */
  let store;

  const shown = (before, after) => before !== after
    && Object.keys(after).some((part) => after[part] !== before[part] && !UNSHOWN.includes(part));

  function calm(kept) {
    const subscribe = kept.subscribe;
    kept.subscribe = (listener) => {
      let told = kept.getState(), due = false, heard = true;
      const tell = () => {
        due = false;
        if (!heard) return;
        told = kept.getState();
        listener();
      };
      const end = subscribe(() => {
        if (due || !shown(told, kept.getState())) return;
        if (window.event && FIELDS.includes(window.event.type)) { tell(); return; }
        due = true;
        queueMicrotask(tell);
      });
      return () => { heard = false; end(); };
    };
  }

  /* a callback is there where one of its outputs is; pattern ids are left to the renderer */
  const there = (strs) => ({ outputs }) => !outputs.length || outputs.some(({ id }) => typeof id !== 'string' || id in strs);

  function present(where, properties, name) {
    const all = properties[name];
    let of, found;
    Object.defineProperty(properties, name, {
      configurable: true, enumerable: true,
      get: () => {
        const paths = where();
        if (paths !== of) { of = paths; found = all.filter(there(paths.strs)); }
        return found;
      },
    });
  }

  function narrow(kept) {
    let paths, graphs;
    const where = () => {
      try { ({ paths } = kept.getState()); } catch { /* a change is being made: what was there before it */ }
      return paths;
    };
    kept.subscribe(() => {
      const now = kept.getState();
      paths = now.paths;
      if (now.graphs === graphs || !now.graphs || !now.graphs.inputMap || !paths || !paths.strs) return;
      graphs = now.graphs;
      for (const properties of Object.values(graphs.inputMap)) {
        for (const name of Object.keys(properties)) if (properties[name].length >= MANY) present(where, properties, name);
      }
    });
  }

  Object.defineProperty(window, 'store', {
    configurable: true, enumerable: true, get: () => store,
    set: (made) => {
      store = made;
      if (!made) return;
      narrow(made);
      calm(made);
    },
  });
})();
