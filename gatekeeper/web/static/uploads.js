// Uploads of one model in parts, on its page of files. What was sent stays sent: after a pause, a lost
// connection or a reload the same file goes on with the parts that are missing. Needs gk.js.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const AT_ONCE = 3, ADDRESS_MS = 600_000;   // addresses of a store end after fifteen minutes
  const box = $("[data-uploads]"), base = box.dataset.uploads;
  const headers = { Accept: "application/json", "X-CSRFToken": $("[name=csrf_token]", box).value };
  const rows = new Set();                     // of files on their way
  const isHere = (url) => new URL(url, location).origin === location.origin;
  const size = (bytes) => {
    let unit = 0;
    for (; bytes >= 999.5 && unit < 4; unit += 1) bytes /= 1000;
    return `${unit && bytes < 99.5 ? Number(bytes.toPrecision(3)) : Math.round(bytes)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
  };

  // Our own answers are JSON, refusals too: their words are the server's. A refusal in other words comes
  // from a proxy. A final one is not asked again; 408 and 429 say only that it was now.
  const refusal = (status, told, what) => {
    const isFinal = status >= 400 && status < 500 && ![408, 429].includes(status);
    const theirs = isFinal ? `The server in front refused this ${what} (${status}).` : "";
    const words = told?.title ? [told.title, told.detail || told.text].filter(Boolean).join(". ") : theirs;
    return Object.assign(new Error(words), { status, isFinal });
  };
  const ask = async (path, body) => {
    const reply = await fetch(base + path, { method: body ? "POST" : "GET", body, headers });
    const told = await reply.json().catch(() => ({}));
    if (!reply.ok) throw refusal(reply.status, told, "request");
    return told;
  };
  const put = (row, part, start) => new Promise((done, failed) => {
    const request = new XMLHttpRequest();     // fetch tells no progress of what it sends
    const ended = (error) => {
      row.requests.delete(request);
      if (error) failed(error); else { row.done += part.size_bytes; done(); }
      row.show();
    };
    request.open("PUT", part.url);
    if (isHere(part.url)) Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = (event) => { row.requests.set(request, event.loaded); row.show(); };
    request.onload = () => {
      if (request.status < 300) return ended();
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* not ours, or cut off */ }
      ended(isHere(part.url) ? refusal(request.status, told, "part") : new Error("The store did not take a part."));
    };
    request.onerror = request.onabort = () => ended(new Error(isHere(part.url) ? "" : "The store does not answer this browser."));
    row.requests.set(request, 0);
    request.send(row.file.slice(start, start + part.size_bytes));
  });

  // Some jobs at once, the others in turn
  const turns = (free) => {
    const waiting = [];
    return async (job) => {
      if (free) free -= 1; else await new Promise((turn) => { waiting.push(turn); });
      try { return await job(); } finally { if (waiting.length) waiting.shift()(); else free += 1; }
    };
  };
  const fileInTurn = turns(AT_ONCE), partInTurn = turns(AT_ONCE);
  const pause = (row, seconds) => new Promise((done) => { row.wake = done; setTimeout(done, seconds * 1000); });

  // Sends what is missing until nothing is, and says that all has come; stops early where it was paused
  const send = async (row) => {
    while (!row.isPaused) {
      const stands = await row.stands();
      if (stands.state !== "open") return;
      if (!stands.parts.length) return ask(`/${row.id}/complete`, new FormData());
      row.done = stands.size_bytes - stands.missing_bytes;
      row.say("");
      const until = Date.now() + ADDRESS_MS;
      let wrong = null;
      await Promise.all(stands.parts.map((part) => partInTurn(async () => {
        if (row.isPaused || wrong || Date.now() > until) return;
        await put(row, part, (part.number - 1) * stands.part_bytes).catch((error) => { wrong ??= error; });
      })));
      if (wrong && !row.isPaused) throw wrong;
      row.tries = 0;
    }
  };
  const goOn = async (row) => {
    while (!row.isPaused) {
      try { return await send(row); } catch (error) {
        if (row.isPaused) return;
        if (error.isFinal) throw error;
        try { await row.file.slice(0, 1).arrayBuffer(); } catch { throw new Error("The file has changed on your disk. Choose it again."); }
        const wait = Math.min(30, 2 ** row.tries++);
        row.say(`${error instanceof TypeError || !error.message ? "No connection." : error.message} Trying again in ${wait} s; what was sent is kept.`);
        await pause(row, wait);
      }
    }
  };
  const start = async (row) => {
    Object.assign(row, { isRunning: true, isPaused: false, tries: 0 });
    row.name("Pause");
    try {
      await fileInTurn(() => goOn(row));
      if (row.isPaused) { row.say("Paused; what was sent is kept."); row.name("Go on"); } else {
        row.end();
        watch();
      }
    } catch (error) {
      row.say(error.message);
      row.name("Try again");
      say(`${row.path}: ${error.message}`);
    }
    row.isRunning = false;
  };

  // What will change, as the server has it, until all of it is checked
  const refresh = async () => {
    const reply = await fetch(location.pathname);
    const fresh = $("#uploaded", new DOMParser().parseFromString(await reply.text(), "text/html"));
    if (!fresh) return;
    const sending = new Set([...rows].map((row) => row.path));
    [...fresh.querySelectorAll("[data-path]")].filter((item) => sending.has(item.dataset.path)).forEach((item) => item.remove());
    if (fresh.innerHTML !== $("#uploaded").innerHTML) $("#uploaded").replaceWith(fresh);   // focus stays where nothing changed
  };
  let isWatching = false, isAsked = false;
  const watch = async () => {
    isAsked = true;
    if (isWatching) return;
    isWatching = true;
    for (let wait = 0.5; isAsked || $("#uploaded").dataset.waits; wait = Math.min(5, wait * 1.5)) {
      if (isAsked) wait = 0.5;
      isAsked = false;
      try { await refresh(); } catch { isAsked = true; }
      await pause({}, wait);
    }
    isWatching = false;
    say($("#uploaded").dataset.say);
  };

  // Lines of sha256sum, where somebody pasted them
  const digestOf = (path) => {
    const lines = $("#f-digests").value.split("\n").map((line) => /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/i.exec(line.trim()));
    return lines.find((line) => line && (line[2] === path || path.endsWith(`/${line[2]}`)))?.[1].toLowerCase() ?? "";
  };
  const begin = (file, name) => {
    const folder = $("#f-folder-js").value.trim().replace(/^\/+|\/+$/g, "");
    const path = ((folder ? `${folder}/` : "") + name).normalize("NFC");
    if ([...rows].some((row) => row.path === path && row.isRunning)) return;
    [...rows].filter((row) => row.path === path).forEach((row) => row.end());
    const item = $("#sending-row").content.firstElementChild.cloneNode(true);
    const about = { path, size_bytes: file.size, mark: `browser ${file.lastModified}`, sha256: digestOf(path) };
    const row = { file, path, id: "", done: 0, requests: new Map() };
    row.show = () => {
      const sent = Math.min(file.size, row.done + [...row.requests.values()].reduce((sum, one) => sum + one, 0));
      $("progress", item).value = file.size ? sent / file.size : 1;
      $("[data-sent]", item).textContent = `${size(sent)} of ${size(file.size)}`;
    };
    row.say = (words) => { $("[data-said]", item).textContent = words; row.show(); };
    row.name = (words) => { $("[data-pause] span", item).textContent = words; };
    row.end = () => { rows.delete(row); item.remove(); };
    row.stands = async () => {
      if (row.id) {
        return ask(`/${row.id}`).catch((error) => {
          if (error.status !== 404) throw error;
          row.id = "";
          throw Object.assign(new Error("This upload has ended or was given up. Trying again begins it anew."), { isFinal: true });
        });
      }
      const form = new FormData();
      Object.entries(about).forEach(([key, value]) => form.append(key, value));
      const stands = await ask("", form);
      row.id = stands.id;
      return stands;
    };
    const halt = () => {
      row.isPaused = true;
      [...row.requests.keys()].forEach((request) => request.abort());
      row.wake?.();
    };
    $("[data-pause]", item).addEventListener("click", () => {
      if (!row.isRunning) start(row);
      else if (row.isPaused) { row.isPaused = false; row.name("Pause"); } else { row.name("Go on"); halt(); }
    });
    $("[data-drop]", item).addEventListener("click", async () => {
      halt();
      row.end();
      if (row.id) await ask(`/${row.id}/give-up`, new FormData()).catch((error) => say(error.message));
      watch();
    });
    $("[data-name]", item).textContent = path;
    $("progress", item).setAttribute("aria-label", `${path}: how much was sent`);
    [...item.querySelectorAll("button .vh")].forEach((word) => { word.textContent = ` ${path}`; });
    $("#sending").append(item);
    rows.add(row);
    row.say("");
    start(row);
  };

  $("#f-files").addEventListener("change", (event) => {
    [...event.target.files].forEach((file) => begin(file, file.name));
    event.target.value = "";
  });
  $("#f-tree").addEventListener("change", (event) => {
    [...event.target.files].forEach((file) => {
      const steps = file.webkitRelativePath.split("/").slice(1);   // the folder itself is the model
      if (!steps.some((step) => [".git", ".cache"].includes(step))) begin(file, steps.join("/"));
    });
    event.target.value = "";
  });
  addEventListener("online", () => rows.forEach((row) => row.wake?.()));
  addEventListener("beforeunload", (event) => { if ([...rows].some((row) => row.isRunning)) event.preventDefault(); });
  document.addEventListener("click", async (event) => {   // without a reload, which would stop the others
    const button = event.target.closest("#uploaded [formaction]");
    if (!button) return;
    event.preventDefault();
    await ask(button.getAttribute("formaction").slice(base.length), new FormData()).catch((error) => say(error.message));
    watch();
  });
  if ($("#uploaded").dataset.waits) watch();
});
