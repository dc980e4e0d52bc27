// Printing: every card that the filters choose, with its pictures; or the open dialog alone.

let onPaper = false;
let controlsWereOpen = true;

addEventListener("beforeprint", () => {
  if (waiting) apply();
  if (onPaper || DIALOG.open) return;
  onPaper = true;
  cardsUpTo(shown.length);
  for (const batch of byId("cards").children) batch.cards.forEach(drawPictures);
  // They contain the key to the lines.
  controlsWereOpen = byId("controls").open;
  byId("controls").open = true;
});

addEventListener("afterprint", () => {
  if (!onPaper) return;
  onPaper = false;
  byId("controls").open = controlsWereOpen;
  for (const batch of byId("cards").children) if (!near.has(batch)) batch.cards.forEach(removePictures);
});
