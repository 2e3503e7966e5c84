/* Puts html components on the page as plain elements; dashboard/components/plain.py says why. */
(function () {
  'use strict';
  const NAMES = { className: 'class', htmlFor: 'for' };
  const flat = (tree) => (Array.isArray(tree) ? tree.flatMap(flat) : tree === null || tree === undefined ? [] : [tree]);

  function attributes(props) {
    const found = {};
    for (const [name, value] of Object.entries(props)) {
      if (name === 'children' || value === null || value === undefined || value === false) continue;
      if (name === 'style') {
        found.style = Object.entries(value).map(([key, one]) => key.replace(/[A-Z]/g, '-$&').toLowerCase() + ':' + one).join(';');
      } else {
        found[NAMES[name] || name.toLowerCase()] = value === true ? '' : String(value);
      }
    }
    return found;
  }

  /* Changes what is there into what shall be there, so that the focus stays where it is. */
  function fill(parent, tree) {
    const wanted = flat(tree);
    wanted.forEach((one, place) => {
      let node = parent.childNodes[place];
      if (typeof one !== 'object') {
        if (node && node.nodeType === Node.TEXT_NODE) { if (node.data !== String(one)) node.data = String(one); return; }
        const text = document.createTextNode(String(one));
        if (node) parent.replaceChild(text, node); else parent.appendChild(text);
        return;
      }
      const tag = one.type.toLowerCase(), fresh = attributes(one.props);
      if (!node || node.nodeName.toLowerCase() !== tag) {
        const made = document.createElement(tag);
        if (node) parent.replaceChild(made, node); else parent.appendChild(made);
        node = made;
      }
      /* what the reader has unfolded stays so */
      for (const { name } of [...node.attributes]) if (!(name in fresh) && name !== 'open') node.removeAttribute(name);
      for (const name in fresh) if (node.getAttribute(name) !== fresh[name]) node.setAttribute(name, fresh[name]);
      fill(node, one.props.children);
    });
    while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.plain = {
    put: function (tree, id) {
      const place = document.getElementById(id.replace(/-tree$/, ''));
      if (place) fill(place, tree);
      return window.dash_clientside.no_update;
    },
  };
})();
