"use strict";

/* Theme: the system's until the reader chooses; the choice is kept where the browser allows it. */
const root = document.documentElement;

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

/* Tables: rows are sorted within each body marked data-sortable, so that published rows stay apart. */
function valueOf(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value ?? cell.textContent.trim();
  return cell.dataset.value === undefined ? value : value === "" ? null : Number(value);
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

function sortBy(table, header) {
  const headers = [...header.parentElement.cells];
  const column = headers.indexOf(header);
  const first = header.dataset.first;
  const other = first === "ascending" ? "descending" : "ascending";
  const order = header.getAttribute("aria-sort") === first ? other : first;
  headers.filter((h) => h.hasAttribute("aria-sort")).forEach((h) => h.setAttribute("aria-sort", "none"));
  header.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  for (const body of table.querySelectorAll("tbody[data-sortable]")) {
    const rows = [...body.rows];
    rows.sort((a, b) => compare(valueOf(a, column), valueOf(b, column), sign));
    body.append(...rows);
  }
}

for (const button of document.querySelectorAll("th[aria-sort] button")) {
  button.addEventListener("click", () => sortBy(button.closest("table"), button.closest("th")));
}

for (const box of document.querySelectorAll("input[data-toggles='outlines']")) {
  box.addEventListener("change", () => box.closest("section").classList.toggle("no-outlines", !box.checked));
}

startTheme(document.querySelector("#theme"));
