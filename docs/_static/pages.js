"use strict";

/** Tables of up to this number of columns become blocks on a phone, unless they are tables of numbers. */
const MOST_STACKED = 5;
/** Where a word that is longer than a line breaks first: `name=|value`, `org|.apache|.kafka`, `read|_lag`. */
const BREAKS = /(?<=[=,:;(])(?![\d/])|(?<![./_:])(?=[./_](?!\d))/;

/** Lets a long name break where it reads best. */
function makeBreaks(name) {
  const parts = name.textContent.split(BREAKS);
  name.replaceChildren(...parts.flatMap((part, at) => (at > 0 ? [document.createElement("wbr"), part] : [part])));
}

/** Makes an element of each word of a block of code, so that a line breaks before an option such as --to, not within it. */
function makeWords(code) {
  const made = document.createDocumentFragment();
  let word = null;
  for (const node of code.childNodes) {
    for (const text of node.textContent.split(/(\s+)/)) {
      if (!text) continue;
      const piece = node.nodeType === Node.ELEMENT_NODE ? node.cloneNode() : document.createElement("span");
      piece.textContent = text;
      if (!text.trim()) {
        made.append(piece);
        word = null;
        continue;
      }
      if (!word) {
        word = document.createElement("span");
        word.className = "word";
        made.append(word);
      }
      makeBreaks(piece);
      word.append(piece);
    }
  }
  code.replaceChildren(made);
}

/** Marks a table whose rows a phone shows as blocks, and gives each cell the heading of its column (see pages.css). */
function makeBlocks(table) {
  const headings = Array.from(table.querySelectorAll("thead th"), (heading) => heading.textContent.trim());
  if (headings.length > MOST_STACKED || table.querySelector(".text-right")) return;
  table.classList.add("stacked");
  if (headings.length < 3) return; // the second cell explains the first, and needs no heading
  for (const row of table.querySelectorAll("tbody tr")) {
    Array.from(row.cells).forEach((cell, at) => {
      if (at > 0 && headings[at] && cell.textContent.trim()) cell.dataset.label = headings[at];
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("article table code.literal:not(.short) .pre").forEach(makeBreaks);
  document.querySelectorAll("article :is(.wrap, .wrap-wide) pre").forEach(makeWords);
  document.querySelectorAll("article table.docutils").forEach(makeBlocks);
});
