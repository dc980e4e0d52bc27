// Printing: every card that the filters choose, with its pictures; or the open dialog alone.

// Cards of clusters, and of subjects. The time that browsers take grows with the square of the number of pages.
const MOST_PRINTED = 3000;
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

function notPrinted() {
  const batches = [...byId("cards").children].slice(Math.ceil(MOST_PRINTED / BATCH));
  return [...batches, ...[...byId("subject-cards").children].slice(MOST_PRINTED)];
}

addEventListener("beforeprint", () => {
  if (waiting) apply();
  if (onPaper || DIALOG.open) return;
  onPaper = true;
  cardsUpTo(Math.min(shown.length, MOST_PRINTED));
  const batches = [...byId("cards").children], printed = Math.ceil(MOST_PRINTED / BATCH);
  for (const batch of batches.slice(0, printed)) batch.cards.forEach(drawPictures);
  for (const other of notPrinted()) other.hidden = true;
  byId("print-limit").textContent = shown.length > MOST_PRINTED
    ? `Here are the first ${formatNumber(MOST_PRINTED)} of ${formatNumber(shown.length)} cards. Choose others with the filters.`
    : "";
  for (const thumbnail of document.querySelectorAll(".subject:not([hidden]) .thumbnail:empty")) thumbnail.append(thumbnailOf(thumbnail.rows));
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
  for (const other of notPrinted()) other.hidden = false;
  for (const batch of byId("cards").children) if (!near.has(batch)) batch.cards.forEach(removePictures);
});
