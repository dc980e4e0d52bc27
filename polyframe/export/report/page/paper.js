// Printing: every card that the filters choose, with its pictures; or the open dialog alone.

let onPaper = false;
let controlsWereOpen = true;

// Links lead nowhere on paper, and Chromium would search the place of every target on every page, which takes most
// of the time if there are thousands.
function renameAttribute(name, other) {
  for (const link of document.querySelectorAll(`a[${name}]`)) {
    link.setAttribute(other, link.getAttribute(name));
    link.removeAttribute(name);
  }
}

addEventListener("beforeprint", () => {
  if (waiting) apply();
  if (onPaper || DIALOG.open) return;
  onPaper = true;
  cardsUpTo(shown.length);
  for (const batch of byId("cards").children) batch.cards.forEach(drawPictures);
  for (const thumbnail of document.querySelectorAll(".thumbnail:empty")) thumbnail.append(thumbnailOf(thumbnail.rows));
  renameAttribute("href", "data-href");
  // They contain the key to the lines.
  controlsWereOpen = byId("controls").open;
  byId("controls").open = true;
});

addEventListener("afterprint", () => {
  if (!onPaper) return;
  onPaper = false;
  renameAttribute("data-href", "href");
  byId("controls").open = controlsWereOpen;
  for (const batch of byId("cards").children) if (!near.has(batch)) batch.cards.forEach(removePictures);
});
