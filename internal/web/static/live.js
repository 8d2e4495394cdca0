// Keeps the page up to date: the server sends each part that has changed, and its
// elements take the place of those that are shown. What is the same stays as it is,
// with focus, selection and open tables.
"use strict";

const link = document.getElementById("link");

function say(text, cls) {
  if (link.textContent !== text) link.textContent = text;
  link.className = "link " + cls;
}

// morph makes the children of an element those of another one.
function morph(old, now) {
  const keyed = new Map();
  for (const el of old.children) if (el.id) keyed.set(el.id, el);
  let at = old.firstChild;
  for (const next of [...now.childNodes]) {
    let same = next.id ? keyed.get(next.id) : at;
    if (!same || same.nodeName !== next.nodeName || (same.id || "") !== (next.id || "")) {
      old.insertBefore(next, at);
      continue;
    }
    if (same !== at) old.insertBefore(same, at);
    else at = at.nextSibling;
    if (next.nodeType === Node.ELEMENT_NODE) {
      attributes(same, next);
      morph(same, next);
    } else if (same.nodeValue !== next.nodeValue) {
      same.nodeValue = next.nodeValue;
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function attributes(old, now) {
  for (const { name } of [...old.attributes])
    if (name !== "open" && !now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function connect() {
  const events = new EventSource("/events" + location.search);
  events.addEventListener("panel", (e) => {
    const { id, html } = JSON.parse(e.data);
    if (id === "title") {
      document.title = html; // plain text
      return;
    }
    const panel = document.getElementById(id);
    if (!panel) return;
    const now = document.createElement("template");
    now.innerHTML = html;
    morph(panel, now.content);
  });
  events.onopen = () => say("Live", "good");
  events.onerror = () => {
    say("Connection lost, trying again", "bad");
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
  };
  addEventListener("pagehide", () => events.close(), { once: true });
}

connect();
// A page that comes back out of the browser's cache listens again.
addEventListener("pageshow", (e) => { if (e.persisted) connect(); });
