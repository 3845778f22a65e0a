// The script of the console. Every page works without it: it refreshes regions, adds local times, counts characters,
// warns before typed text is lost, copies, and adds single-key shortcuts. It sends one form by itself: the log-in link
// of `clawback dev`. It evaluates no text and makes no markup from strings.
(() => {
  "use strict";

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const say = (selector, text) => all(selector).forEach((element) => { element.textContent = text; });
  const setHidden = (selector, hidden) => all(selector).forEach((element) => { element.hidden = hidden; });

  const fields = (root) => all("input:not([type=hidden]), textarea, select", root);

  function isChanged(field) {
    if (field.options) {
      const options = [...field.options];
      const hasDefault = field.multiple || options.some((option) => option.defaultSelected);
      return hasDefault ? options.some((option) => option.selected !== option.defaultSelected)
        : field.selectedIndex > 0;
    }
    if (field.type === "file") return field.files.length > 0;
    if (["checkbox", "radio"].includes(field.type)) return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue;
  }

  // Asks for this page's address. Undefined when the server does not answer or the session has ended.
  async function ask(method, headers = {}) {
    const signal = AbortSignal.timeout(15_000);
    const options = { method, headers: { "X-Console-Refresh": "1", ...headers }, cache: "no-store", signal };
    const answer = await fetch(location.href, options).catch(() => undefined);
    if (answer) setHidden("[data-logged-out]", answer.status !== 401);
    return answer?.status === 401 ? undefined : answer;
  }

  const isLoggedOut = () => one("[data-logged-out]:not([hidden])") !== null;

  // Refresh: regions are replaced one by one, unless somebody uses them.

  const main = one("main[data-live]");
  const isPaused = () => one("[data-pause][aria-pressed=true]") !== null;
  let tag, refreshedAt = Date.now(), isRefreshing = false;

  function isInUse(region) {
    const selection = getSelection();
    return region.contains(document.activeElement) || fields(region).some(isChanged) ||
      (!selection.isCollapsed && selection.containsNode(region, true));
  }

  async function refresh() {
    const answer = await ask("GET", tag ? { "If-None-Match": tag } : {});
    if (!answer || !(answer.ok || answer.status === 304)) return warnStale();
    const isUnchanged = answer.status === 304;
    const isComplete = isUnchanged || take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    refreshedAt = Date.now();
    setHidden("[data-stale]", true);
    // Where a region was left alone, the page is not as of now, and the next answer has to be whole.
    if (!isComplete) tag = undefined;
    else if (!isUnchanged) tag = answer.headers.get("ETag");
    if (isComplete) showTime(new Date(answer.headers.get("Date") ?? Date.now()).toISOString());
  }

  function showTime(now) {
    say("[data-as-of]", `${now.slice(11, 19)} UTC`);
    all("[data-as-of]").forEach((time) => { time.dateTime = now; });
  }

  function warnStale() {
    say("[data-stale]", `Not refreshed since ${one("[data-as-of]")?.textContent}`);
    setHidden("[data-stale]", isLoggedOut());
  }

  // Returns whether every region was replaced.
  function take(page) {
    const fresh = (region) => one(`[data-region="${CSS.escape(region.dataset.region)}"]`, page);
    const keys = () => all("[data-region] tr[data-key]").map((row) => row.dataset.key);
    const regions = all("[data-region]").filter(fresh);
    const free = regions.filter((region) => !isInUse(region));
    const known = new Set(keys());
    free.forEach((region) => replace(region, fresh(region)));
    const added = keys().filter((key) => !known.has(key)).length;
    if (added > 0) say("[data-news]", `${added} new ${added === 1 ? "row" : "rows"}`);
    document.title = page.title;
    setPace(page);
    return free.length === regions.length;
  }

  // Each time, a page says how often it is refreshed, or that it is not any more.
  function setPace(page) {
    const { live } = one("main", page)?.dataset ?? {};
    if (live) main.dataset.live = live;
    else delete main.dataset.live;
  }

  // The scripts of a parsed document never run, even where they are moved.
  function replace(old, fresh) {
    const nameOf = (details) => details.id || details.dataset.key;
    const wasOpen = new Map(all("details", old).map((details) => [nameOf(details), details.open]));
    old.replaceChildren(...fresh.childNodes);
    all("details", old).forEach((details) => { details.open = wasOpen.get(nameOf(details)) ?? details.open; });
    dress(old);
  }

  async function tick() {
    if (isRefreshing || document.hidden || isPaused() || one("dialog[open]")) return;
    isRefreshing = true;
    await refresh().catch(warnStale);
    isRefreshing = false;
  }

  // The next refresh begins after the last has ended, and pages that were opened together drift apart.
  function schedule() {
    if (!main.dataset.live) return;
    setTimeout(() => tick().then(schedule), main.dataset.live * 1000 * (0.8 + 0.4 * Math.random()));
  }

  document.addEventListener("visibilitychange", () => {
    if (main && Date.now() - refreshedAt > main.dataset.live * 1000) tick();
    else if (!document.hidden && isLoggedOut()) ask("HEAD");
  });

  // Times, in the words of `parts::until` and `parts::distance`.

  function span(seconds) {
    const [d, h, m] = [Math.trunc(seconds / 86_400), Math.trunc(seconds / 3_600) % 24, Math.trunc(seconds / 60) % 60];
    const words = d > 0 ? [[d, "d"], [h, "h"]] : [[h, "h"], [m, "min"]];
    return words.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(" ") || "less than a minute";
  }

  function showDistances(root) {
    all("[data-deadline], [data-distance]", root).forEach((element) => {
      const { deadline, distance } = element.dataset;
      const left = (new Date(deadline ?? distance) - Date.now()) / 1000;
      const past = deadline ? `overdue ${span(-left)}` : `${span(-left)} ago`;
      element.textContent = left < 0 ? past : `in ${span(left)}`;
    });
  }

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  // In the form of the page, which is that of Sweden: 2026-12-04 23:59.
  function local(at) {
    return new Date(at).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });
  }

  // Such as CET or GMT+9, as of then: daylight saving may end before a deadline.
  function shortZone(at) {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date(at));
    return parts.find(({ type }) => type === "timeZoneName").value;
  }

  function addLocalTimes(root) {
    all("time:not([data-as-of])", root).forEach((time) => { time.title = `${local(time.dateTime)} ${zone}`; });
    all("[data-deadline]", root).filter(() => zone !== "UTC").forEach((element) => {
      const { deadline } = element.dataset;
      const line = document.createElement("span");
      line.className = "local";
      line.textContent = `${local(deadline)} ${shortZone(deadline)}`;
      element.after(line);
    });
  }

  // Forms.

  // Code points, as the server counts them; the value has no CRLF.
  function showCount(field) {
    const length = [...field.value].length, limit = Number(field.dataset.limit);
    all(`[data-count-of="${CSS.escape(field.id)}"]`).forEach((output) => {
      output.textContent = `${length.toLocaleString("en")} of ${limit.toLocaleString("en")}`;
      output.toggleAttribute("data-over", length > limit);
      // Not read out at every key.
      output.ariaLive = "off";
    });
  }

  // Beside a list of problems, the server shows again what it did not save.
  const isUnsaved = (form) => one("[data-focus]") !== null || fields(form).some(isChanged);
  let isLeaving = false;

  window.addEventListener("beforeunload", (event) => {
    if (!isLeaving && all("form[data-guard]").some(isUnsaved)) event.preventDefault();
  });
  window.addEventListener("pageshow", () => { isLeaving = false; });

  // Before a form takes the only copy of a text away: is the server there, and does the session last?
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    if (!("guard" in form.dataset) || isLeaving) return;
    event.preventDefault();
    if (!await ask("HEAD")) return warnStale();
    isLeaving = true;
    form.requestSubmit(submitter);
  });

  document.addEventListener("input", ({ target }) => { if (target.dataset.limit) showCount(target); });

  // Buttons. Browsers offer no clipboard on plain http.

  async function copy(button) {
    const text = document.getElementById(button.dataset.copy).textContent;
    const bySelection = () => {
      const area = document.createElement("textarea");
      area.value = text;
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    };
    await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(bySelection);
    say("[data-news]", "Copied");
  }

  const togglePause = () => all("[data-pause]").forEach((button) => button.setAttribute("aria-pressed", !isPaused()));

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.dataset.copy) copy(button);
    if (button?.matches("[data-pause]")) togglePause();
  });

  // Keys. None of them sends a form.

  const places = { d: "disputes", o: "orders", f: "follow-ups", e: "events", h: "health", a: "activity" };
  const press = {
    "/": () => one("input[type=search]")?.select(),
    "?": () => one("dialog#keys")?.showModal(),
    j: () => step(1),
    k: () => step(-1),
    p: togglePause,
    Escape: () => document.activeElement.blur(),
  };
  let lastG = -Infinity;

  // Moves the focus, so that Enter opens, and a screen reader follows.
  function step(by) {
    const links = all("tr[data-key]").map((row) => one("a[href]", row)).filter(Boolean);
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  }

  document.addEventListener("keydown", (event) => {
    const isFree = event.target === document.body || event.target.matches("tr[data-key] a");
    const isOff = one("[data-keys] input")?.checked !== true || one("dialog[open]");
    if (!isFree || isOff || event.ctrlKey || event.altKey || event.metaKey) return;
    const isAfterG = event.timeStamp - lastG < 1_500;
    lastG = event.key === "g" ? event.timeStamp : -Infinity;
    if (isAfterG && event.key in places) return one(`nav a[href$="/${places[event.key]}"]`)?.click();
    if (!Object.hasOwn(press, event.key)) return;
    event.preventDefault();
    press[event.key]();
  });

  // Browsers may forbid the storage; the shortcuts are then on.
  function keepSwitch(box) {
    const store = (() => { try { return localStorage; } catch { return {}; } })();
    box.checked = store.shortcuts !== "off";
    box.addEventListener("change", () => { store.shortcuts = box.checked ? "on" : "off"; });
  }

  // Adds to the markup what takes the script.
  function dress(root) {
    all("[data-pause], [data-keys], [data-copy]", root).forEach((element) => { element.hidden = false; });
    all("textarea[data-limit]", root).forEach(showCount);
    showDistances(root);
    addLocalTimes(root);
  }

  dress(document);
  all("[data-keys] input").forEach(keepSwitch);
  if (main) schedule();
  setInterval(() => showDistances(document), 60_000);
  one("[data-focus]")?.focus();
  one("form[data-auto]")?.requestSubmit();
})();
