// What the page does beyond what a browser does by itself. All of it works without, but for
// the bars that move.
"use strict";

document.documentElement.classList.add("scripted");

// What can't be undone is asked for twice.
for (const button of document.querySelectorAll("button[data-confirm]")) {
  button.addEventListener("click", (event) => {
    if (!window.confirm(button.dataset.confirm)) event.preventDefault();
  });
}

// A key is copied by one click, and selected where the clipboard can't be had.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const said = document.getElementById(button.dataset.said);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = "Copied.";
    } catch {
      field.focus();
      field.select();
      said.textContent = "The key is selected: press Ctrl-C.";
    }
  });
}
for (const field of document.querySelectorAll("input[data-select]")) {
  field.addEventListener("focus", () => field.select());
}

// Parts that change are asked for again and again, while somebody looks.
for (const part of document.querySelectorAll("[data-poll]")) {
  const until = (part.dataset.until || "").split(" ");
  const ended = () => until.includes(part.querySelector("[data-status]")?.dataset.status);
  const look = async () => {
    if (!document.hidden) {
      const answer = await fetch(part.dataset.poll, { headers: { Accept: "text/html" } }).catch(() => null);
      if (answer?.ok && !answer.redirected) {
        const next = document.createElement("template");
        next.innerHTML = await answer.text(); // of this service, escaped by its templates
        become(part, next.content);
      }
    }
    if (!ended()) setTimeout(look, Number(part.dataset.every));
  };
  if (!ended()) setTimeout(look, Number(part.dataset.every));
}

// become gives an element the children of another, and keeps those that are of the same kind:
// so the focus stays where it is, bars move and don't jump, and only what is new is read out.
function become(now, next) {
  const before = [...now.childNodes], after = [...next.childNodes];
  after.forEach((to, i) => {
    const from = before[i];
    if (!from) return now.append(to);
    if (from.nodeName !== to.nodeName) return from.replaceWith(to);
    if (to.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    become(from, to);
  });
  before.slice(after.length).forEach((gone) => gone.remove());
}

// The link of an invitation has its token behind the #, which no server sees. It goes on in
// a form, and leaves the address bar.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const invitation = document.querySelector("form[data-invitation]");
if (token && invitation) {
  history.replaceState(null, "", location.pathname);
  invitation.elements.token.value = token;
  invitation.requestSubmit();
}

// "What to try" in the footer leads to what is folded up.
const opened = () => document.querySelector("details#try:target")?.setAttribute("open", "");
addEventListener("hashchange", opened);
opened();
