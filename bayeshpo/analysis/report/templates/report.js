"use strict";

// Tables: a click on a title, or Enter on it, sorts by that column; again, the other way round.
const keyOf = (row, column, numeric) => {
  const cell = row.cells[column];
  if (!numeric) return cell.textContent;
  return cell.dataset.key === undefined ? parseFloat(cell.textContent) : Number(cell.dataset.key);
};

const sort = (header) => {
  const numeric = header.classList.contains("n");
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const body = header.closest("table").tBodies[0];
  const rows = [...body.rows].map((row) => [keyOf(row, header.cellIndex, numeric), row]);
  const words = new Intl.Collator("en", { numeric: true });
  const order = ascending ? 1 : -1;
  rows.sort(([a], [b]) => {
    if (!numeric) return order * words.compare(a, b);
    // What is no number comes last either way.
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return order * (a - b);
  });
  body.append(...rows.map(([, row]) => row));
  for (const other of header.parentNode.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
};

// Figures: the one that is enlarged is moved into the dialog, and back when that closes.
const dialog = document.getElementById("large");
let home = null;

const enlarge = (figure) => {
  home = figure.querySelector(".plot");
  home.style.minHeight = `${home.offsetHeight}px`;
  dialog.querySelector("p").textContent = figure.querySelector("figcaption").textContent;
  dialog.querySelector(".place").append(home.firstElementChild);
  dialog.showModal();
};

dialog.addEventListener("close", () => {
  home.append(dialog.querySelector(".place").firstElementChild);
  home.style.minHeight = "";
});

document.addEventListener("click", (event) => {
  const header = event.target.closest("th");
  if (header) sort(header);
  const figure = event.target.closest(".enlarge, .plot")?.closest("figure");
  if (figure) enlarge(figure);
  if (event.target === dialog) dialog.close();
});

// Light and dark: as the system has it, until the reader says otherwise.
const theme = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.style.colorScheme || (system.matches ? "dark" : "light")) === "dark";
const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.addEventListener("click", () => {
  document.documentElement.style.colorScheme = isDark() ? "light" : "dark";
  label();
});
system.addEventListener("change", label);
label();

// A link to something inside a folded part opens it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target && target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
