"use strict";

const root = document.documentElement;

/* Theme: the system's until the reader chooses; the choice is kept where the browser allows it. */
function kept(choice) {
  try {
    if (choice !== undefined) localStorage.setItem("karyobench-theme", choice);
    return localStorage.getItem("karyobench-theme");
  } catch {
    return null;
  }
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function startTheme(button) {
  const chosen = kept();
  if (chosen) root.dataset.theme = chosen;
  const show = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
    show();
  });
  button.hidden = false;
  show();
}

/* Order: rows are sorted within each part marked data-sortable, so that fakes stay apart; blanks come last. */
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

function numberOf(text) {
  return text === "" ? null : Number(text);
}

function cellValue(row, column) {
  const cell = row.cells[column];
  const text = cell.textContent.trim();
  return cell.dataset.value === undefined ? (text === "–" ? null : text) : numberOf(cell.dataset.value);
}

function order(scope, valueOf, sign) {
  for (const part of scope.querySelectorAll("[data-sortable]")) {
    const items = [...part.children].map((item) => [valueOf(item), item]);
    items.sort(([a], [b]) => compare(a, b, sign));
    part.append(...items.map(([, item]) => item));
  }
}

const headersOf = (scope) => [...scope.querySelectorAll("th[data-sort]")];

function sortBy(scope, header, direction) {
  headersOf(scope).forEach((each) => each.setAttribute("aria-sort", each === header ? direction : "none"));
  order(scope, (row) => cellValue(row, header.cellIndex), direction === "ascending" ? 1 : -1);
}

function turn(scope, header) {
  const first = header.dataset.first;
  const other = first === "ascending" ? "descending" : "ascending";
  sortBy(scope, header, header.getAttribute("aria-sort") === first ? other : first);
}

/* A scope is a table or a set of cards with its controls. Controls have a data-key, which is their name in the
   address: #anchor?key=value&... names whatever is not as the page came. */
const controlsOf = (scope) => [...scope.querySelectorAll("[data-key]")];
const isChoice = (control) => control.type === "radio" || control.type === "checkbox";

function isAsItCame(control) {
  if (isChoice(control)) return control.checked === control.defaultChecked;
  return control.tagName === "SELECT" ? control.selectedIndex === 0 : control.value === control.defaultValue;
}

function setControl(control, value) {
  if (isChoice(control)) control.checked = value === null ? control.defaultChecked : control.value === value;
  else if (control.tagName === "SELECT" && value === null) control.selectedIndex = 0;
  else control.value = value ?? control.defaultValue;
}

function stateOf(scope) {
  const state = new URLSearchParams();
  for (const control of controlsOf(scope)) {
    if (!isAsItCame(control) && (!isChoice(control) || control.checked)) state.set(control.dataset.key, control.value);
  }
  const sorted = headersOf(scope).find((header) => header.getAttribute("aria-sort") !== "none");
  if (sorted && sorted.dataset.came !== sorted.getAttribute("aria-sort")) {
    state.set("sort", sorted.dataset.sort);
    state.set("order", sorted.getAttribute("aria-sort"));
  }
  return state;
}

function setState(scope, state) {
  controlsOf(scope).forEach((control) => setControl(control, state.get(control.dataset.key)));
  const headers = headersOf(scope);
  const named = headers.find((header) => header.dataset.sort === state.get("sort"));
  const header = named ?? headers.find((each) => each.dataset.came !== "none");
  if (header) sortBy(scope, header, (named && state.get("order")) || (named ? named.dataset.first : header.dataset.came));
}

/* What the controls say is done: filter, order, uncover. */
function apply(scope) {
  const find = scope.querySelector("[data-key=find]");
  if (find) filter(scope, find.value.trim().toLowerCase());
  const chosen = scope.querySelector("select[data-key=sort]");
  if (chosen) order(scope, (item) => numberOf(item.dataset[chosen.value]), 1);
  const uncover = scope.querySelector("[data-key=uncover]");
  if (uncover) scope.style.setProperty("--uncovered", `${uncover.value}%`);
}

function filter(scope, text) {
  const filters = [...scope.querySelectorAll("[data-filter]")].filter((select) => select.selectedIndex > 0);
  const items = [...scope.querySelectorAll("[data-item]")];
  for (const item of items) {
    const wanted = filters.every((select) => item.getAttribute(`data-in-${select.dataset.key}`) === select.value);
    item.hidden = !wanted || !item.textContent.toLowerCase().includes(text);
  }
  const output = scope.querySelector("output");
  const left = items.filter((item) => !item.hidden).length;
  output.textContent = left < items.length ? `${left} of ${items.length} ${output.dataset.noun}` : "";
}

/* Addresses. */
function parsed() {
  const [anchor, query] = location.hash.slice(1).split("?");
  return [document.getElementById(anchor), query];
}

function keep(scope) {
  const [target] = parsed();
  const anchor = target && scope.contains(target) ? target.id : scope.id;
  const state = stateOf(scope).toString();
  history.replaceState(null, "", `#${anchor}${state && `?${state}`}`);
}

function restore() {
  const [target, query] = parsed();
  if (!target) return;
  const scope = target.closest("[data-scope]");
  if (scope && query !== undefined) {
    setState(scope, new URLSearchParams(query));
    apply(scope);
  }
  for (let outer = target.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
  target.hidden = false;
  target.scrollIntoView();
  if (target.matches("[data-item]")) target.focus({ preventScroll: true });
  if (scope && query === undefined) keep(scope);
}

function startScope(scope) {
  scope.querySelectorAll(".tools").forEach((tools) => { tools.hidden = false; });
  for (const header of headersOf(scope)) {
    header.dataset.came = header.getAttribute("aria-sort");
    header.querySelector("button").addEventListener("click", () => { turn(scope, header); keep(scope); });
  }
  scope.addEventListener("input", () => { apply(scope); keep(scope); });
  /* Browsers fill controls in again when a page is loaded anew. */
  if (!controlsOf(scope).every(isAsItCame)) apply(scope);
}

/* Scatter plots: one dot at a time takes the focus, and says below the plots what it is. */
const dotsOf = (group) => [...group.querySelectorAll("a")];

function moveTo(dot) {
  const plot = dot.closest("svg");
  dotsOf(plot).forEach((each) => { each.tabIndex = each === dot ? 0 : -1; });
  dot.focus();
}

function neighbour(dot, key) {
  const group = dot.parentElement;
  const dots = dotsOf(group);
  if (key === "ArrowLeft" || key === "ArrowRight") return dots[dots.indexOf(dot) + (key === "ArrowRight" ? 1 : -1)];
  if (key === "Home" || key === "End") return dots.at(key === "Home" ? 0 : -1);
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const groups = [...group.parentElement.querySelectorAll(".series:not([hidden])")];
  const next = groups.at((groups.indexOf(group) + (key === "ArrowDown" ? 1 : -1)) % groups.length);
  return dotsOf(next).find((each) => each.dataset.image === dot.dataset.image);
}

function startScatter(plot, told) {
  const tell = (event) => {
    const dot = event.target.closest("a");
    if (dot) told.textContent = dot.querySelector("title").textContent;
  };
  plot.addEventListener("pointerover", tell);
  plot.addEventListener("focusin", tell);
  plot.addEventListener("keydown", (event) => {
    const dot = event.target.closest("a");
    const next = dot && neighbour(dot, event.key);
    if (next) {
      moveTo(next);
      event.preventDefault();
    }
  });
}

function startSeries(box) {
  const show = () => {
    for (const group of document.querySelectorAll(`[data-series="${box.value}"]`)) group.toggleAttribute("hidden", !box.checked);
  };
  box.addEventListener("change", show);
  show();
}

startTheme(document.querySelector("#theme"));
document.querySelectorAll("[data-scope]").forEach(startScope);
document.querySelectorAll(".scatter svg").forEach((plot) => startScatter(plot, document.querySelector(".pointed")));
document.querySelectorAll(".choice input").forEach(startSeries);
addEventListener("hashchange", restore);
restore();
