// Sorting: each table with class "sortable" gets a button a column. Ascending, descending, then the order it came in.
"use strict";
(() => {
  const key = (cell) => {
    const value = cell.dataset.v ?? cell.textContent.trim();
    // `−1.20 ± 0.30 (3)`, `×1.10`, `< 0.001`: the number they begin with.
    const text = value.replace("−", "-").replace(/^[<×+] ?/, "").replace(/ ±.*| \(\d+\)$/, "");
    const number = Number(text);
    return value === "" || value === "–" ? null : Number.isNaN(number) ? value : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const blocks = original.filter((row) => row.classList.contains("block"));
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")];
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", now);
        const sign = now === "descending" ? -1 : 1;
        const sorted = original.map((row) => [key(row.cells[column]), row]);
        // What has no value stays at the end in both directions.
        if (now !== "none") {
          sorted.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
        }
        blocks.forEach((row) => row.classList.toggle("block", now === "none"));
        body.append(...sorted.map(([, row]) => row));
      });
    });
  }
  for (const input of document.querySelectorAll("input[data-filter]")) {
    const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    input.closest(".filter").hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      rows.forEach((row, at) => { row.hidden = !words.every((word) => texts[at].includes(word)); });
    });
  }
})();
