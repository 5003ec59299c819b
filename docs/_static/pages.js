"use strict";

/** Tables of up to this number of columns become blocks on a phone, unless they are tables of numbers. */
const MOST_STACKED = 5;

/** Marks tables whose rows a phone shows as blocks, and gives each cell the heading of its column (see pages.css). */
/** Makes an element of each word of a block of code, so that a line breaks before an option such as --to, not within it. */
function makeWords(code) {
  const made = document.createDocumentFragment();
  let word = null;
  for (const node of [...code.childNodes]) {
    for (const part of node.textContent.split(/(\s+)/)) {
      if (!part) continue;
      const piece = node.nodeType === Node.ELEMENT_NODE ? node.cloneNode() : document.createElement("span");
      piece.textContent = part;
      if (!part.trim()) {
        made.append(piece);
        word = null;
      } else {
        if (!word) {
          word = document.createElement("span");
          word.className = "word";
          made.append(word);
        }
        word.append(piece);
      }
    }
  }
  code.replaceChildren(made);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("article :is(.wrap, .wrap-wide) pre").forEach(makeWords);
  for (const table of document.querySelectorAll("article table.docutils")) {
    const headings = Array.from(table.querySelectorAll("thead th"), (heading) => heading.textContent.trim());
    if (headings.length > MOST_STACKED || table.querySelector(".text-right")) continue;
    table.classList.add("stacked");
    if (headings.length < 3) continue;
    for (const row of table.querySelectorAll("tbody tr")) {
      Array.from(row.cells).forEach((cell, at) => {
        if (at > 0 && headings[at] && cell.textContent.trim()) cell.dataset.label = headings[at];
      });
    }
  }
});
