// Gatekeeper's only script; every page works without it. Loaded in <head> without defer, so that the
// chosen theme is there before the first paint.
"use strict";
const root = document.documentElement;
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector) => [...document.querySelectorAll(selector)];
const say = (text) => { $("#live").textContent = text; };
const store = globalThis.localStorage;   // no cookie: it stays in this browser

// Theme: system, light, dark
const paint = () => {
  const theme = store.theme || "";
  root.dataset.theme = theme;
  $$("[data-theme-switch] span").forEach((word) => { word.textContent = theme || "system"; });
};
root.classList.add("js");
paint();

// Copy: <button data-copy="#id">
const copy = async (button) => {
  const source = $(button.dataset.copy), label = button.textContent;
  try { await navigator.clipboard.writeText(source.textContent.trim()); }
  catch { getSelection().selectAllChildren(source); document.execCommand("copy"); }
  button.textContent = "Copied";
  say("Copied");
  setTimeout(() => { button.textContent = label; }, 1600);
};

// Swap: <a data-swap="#id">, <form data-swap="#id"> fetch the page and replace that one element
const swap = async (url, selector, init) => {
  try {
    const reply = await fetch(url, init);
    const fresh = $(selector, new DOMParser().parseFromString(await reply.text(), "text/html"));
    if (!fresh) return location.assign(reply.url);
    $(selector).replaceWith(fresh);
    history.pushState({}, "", reply.url);
    say(fresh.dataset.say || "");
  } catch { say("No connection."); }
};
addEventListener("popstate", () => { if ($("[data-swap]")) location.reload(); });
const choose = (item) => $$("[data-item]").forEach((one) => { one.ariaCurrent = one === item ? "true" : null; });

document.addEventListener("click", (event) => {
  const hit = (selector) => event.target.closest(selector);
  const copier = hit("[data-copy]"), opener = hit("[data-opens]"), link = hit("a[data-swap]");
  if (copier) copy(copier);
  if (opener) $(opener.dataset.opens).showModal();
  if (hit("[data-theme-switch]")) {
    store.theme = { light: "dark", dark: "" }[store.theme] ?? "light";
    paint();
  }
  if (link && !event.metaKey && !event.ctrlKey && innerWidth > 900) {
    event.preventDefault();
    choose(link.closest("[data-item]"));
    swap(link.href, link.dataset.swap);
  }
  $$(".menu[open]").forEach((menu) => { menu.open = menu.contains(event.target); });
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-swap]");
  if (!form) return;
  event.preventDefault();
  swap(form.action, form.dataset.swap, { method: form.method, body: new FormData(form, event.submitter) });
});

// Keys: J K move, X selects, Enter opens (the link has focus), / finds, ? helps, [data-key="a"] is clicked
// by its letter. The list of keys can turn them off (WCAG 2.1.4).
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") $$(".menu[open]").forEach((menu) => { menu.open = false; });
  if (event.metaKey || event.ctrlKey || event.altKey || store.keys === "off") return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, dialog")) return;
  const key = event.key.toLowerCase(), step = { j: 1, k: -1 }[key];
  const items = $$("[data-item]"), at = items.findIndex((item) => item.ariaCurrent);
  const target = $(`[data-key="${CSS.escape(key)}"]`);
  if (step && items.length) {
    const item = items[Math.max(0, Math.min(items.length - 1, at + step))], link = $("a", item);
    choose(item);
    link.focus();
    if (link.dataset.swap) link.click();
  } else if (key === "x" && at >= 0) $("[type=checkbox]", items[at])?.click();
  else if (key === "?") $("#keys").showModal();
  else if (key === "/") {
    event.preventDefault();
    $("#q").focus();
  } else if (target) {
    event.preventDefault();
    target.click();
  }
});

// Drafts: <form data-autosave="/url"> is posted 1.5 s after a change; [data-saved] says how it went
const autosave = (form) => {
  const save = async () => {
    let said = "Not saved: no connection. Keep this page open.";
    try {
      const reply = await fetch(form.dataset.autosave, { method: "POST", body: new FormData(form) });
      said = reply.status === 409 ? "Changed in another window. Reload first." : "Not saved. Try “Save and leave”.";
      if (reply.ok) {
        form.elements.version.value = (await reply.json()).version;
        said = "Saved just now";
      }
    } catch { /* said above */ }
    $("[data-saved]", form).textContent = said;
  };
  let timer;
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(save, 1500); });
  form.addEventListener("submit", () => clearTimeout(timer));
};

document.addEventListener("DOMContentLoaded", () => {
  paint();
  $$("[data-autosave]").forEach(autosave);
  $$("[data-count]").forEach((count) => {      // characters used
    const box = $(count.dataset.count);
    box.addEventListener("input", () => { count.textContent = box.value.length.toLocaleString("en"); });
  });
  $$(".tools > input").forEach((radio) => {    // the same tool on every page
    radio.checked ||= radio.value === store.tool;
    radio.addEventListener("change", () => { store.tool = radio.value; });
  });
  $$("[data-keys-switch]").forEach((box) => {
    box.checked = store.keys !== "off";
    box.addEventListener("change", () => { store.keys = box.checked ? "on" : "off"; });
  });
  // In-page tabs follow the section being read
  const tabs = $$(".tabs a[href^='#']");
  const reading = new IntersectionObserver((found) => found.filter((one) => one.isIntersecting).forEach((one) => {
    tabs.forEach((tab) => { tab.ariaCurrent = tab.hash === "#" + one.target.id ? "true" : null; });
  }), { rootMargin: "-10% 0px -75%" });
  $$(tabs.map((tab) => tab.hash).join() || "nothing").forEach((section) => reading.observe(section));
});
