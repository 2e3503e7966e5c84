/* Draws html components as plain elements, by few components; dashboard/components/plain.py says why. */
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

  /* What the reader has unfolded stays so. */
  function dress(node, props) {
    const fresh = attributes(props);
    for (const { name } of [...node.attributes]) if (!(name in fresh) && name !== 'open') node.removeAttribute(name);
    for (const name in fresh) if (node.getAttribute(name) !== fresh[name]) node.setAttribute(name, fresh[name]);
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
      const tag = one.type.toLowerCase();
      if (!node || node.nodeName.toLowerCase() !== tag) {
        const made = document.createElement(tag);
        if (node) parent.replaceChild(made, node); else parent.appendChild(made);
        node = made;
      }
      dress(node, one.props);
      fill(node, one.props.children);
    });
    while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
  }

  function drawn(one, slots) {
    if (one === null || typeof one !== 'object') return one;
    if (Array.isArray(one)) return window.React.createElement(window.React.Fragment, null, ...one.map((part) => drawn(part, slots)));
    if ('slot' in one) return slots[one.slot];
    const { children, ...props } = one.props;
    return window.React.createElement(one.type, props, ...flat(children).map((child) => drawn(child, slots)));
  }

  function Shape({ shape, children }) {
    return drawn(shape, Array.isArray(children) ? children : [children]);
  }

  function Plain({ id, tag, attributes, tree }) {
    const { createElement, useLayoutEffect, useRef } = window.React, place = useRef(null);
    useLayoutEffect(() => dress(place.current, { ...attributes, id }), [attributes, id]);
    useLayoutEffect(() => fill(place.current, tree), [tree]);
    return createElement(tag, { ref: place });
  }

  window.fashion_forward = { Plain, Shape };
})();
