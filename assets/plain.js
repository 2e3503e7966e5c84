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

  /* What somebody writes over in place (data-draft says of what, data-name what stood there) and has not sent off. */
  const DRAFT = '[data-draft]:not([data-sent])';
  const drafted = (node) => node.matches(DRAFT) && node.textContent.trim() !== node.dataset.name.trim();

  /* A draft whose thing now stands elsewhere goes there with it, and who is typing goes on typing. */
  function carry(place, drafts) {
    for (const node of drafts.length ? place.querySelectorAll(DRAFT) : []) {
      const found = drafts.find((one) => one.of === node.dataset.draft);
      if (!found || (node === found.node && node.textContent === found.text)) continue;
      if (node.textContent !== found.text) node.textContent = found.text;
      if (found.at === null) continue;
      node.focus({ preventScroll: true });
      if (node.firstChild) window.getSelection().collapse(node.firstChild, Math.min(found.at, found.text.length));
    }
  }
  function caret(node) {
    const { focusNode, focusOffset } = window.getSelection();
    return node !== document.activeElement ? null : focusNode === node.firstChild ? focusOffset : node.textContent.length;
  }
  const drafts = (place) => [...place.querySelectorAll(DRAFT)].filter(drafted).map((node) => (
    { node, of: node.dataset.draft, text: node.textContent, at: caret(node) }
  ));

  /* Changes what is there into what shall be there, so that the focus stays where it is, and a draft what it is. */
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
      const kept = node.dataset.draft === one.props['data-draft'] && drafted(node);
      dress(node, one.props);
      if (!kept) fill(node, one.props.children);
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
    useLayoutEffect(() => {
      const found = drafts(place.current);
      fill(place.current, tree);
      carry(place.current, found);
    }, [tree]);
    return createElement(tag, { ref: place });
  }

  /* A select whose options stand under headings where there is more than one. */
  function Picker({ id, options, value, placeholder, setProps }) {
    const { createElement } = window.React, groups = new Map();
    for (const { group, ...one } of options || []) groups.set(group || '', [...(groups.get(group || '') || []), one]);
    const lines = (all) => all.map(({ label, ...one }) => createElement('option', { key: one.value, ...one }, label));
    const none = value === null || value === undefined;
    const empty = none && createElement('option', { key: '', value: '', disabled: true, hidden: true }, placeholder || '');
    const parts = [...groups].map(([label, all]) => (
      groups.size > 1 && label ? createElement('optgroup', { key: label, label }, lines(all)) : lines(all)
    ));
    const change = (e) => setProps({ value: e.target.value });
    const chosen = (options || []).find((one) => one.value === value); /* a long name is cut by the box, whole on hover */
    return createElement('select', { id, className: 'form-select', title: chosen ? chosen.label : '', value: none ? '' : value, onChange: change }, empty, parts);
  }

  /* The same in a place whose tree comes soon: a script that has it already draws it. */
  function put(id, tree) {
    const place = document.getElementById(id), found = place ? drafts(place) : [];
    if (!place) return;
    fill(place, tree);
    carry(place, found);
  }

  window.fashion_forward = { Picker, Plain, Shape, put };
})();
