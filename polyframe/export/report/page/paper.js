// Printing: every card that the filters choose, with its pictures; or the open dialog alone.

let onPaper = false;
let controlsWereOpen = true;

addEventListener("beforeprint", () => {
  if (waiting) apply();
  if (onPaper || DIALOG.open) return;
  onPaper = true;
  cardsUpTo(shown.length);
  for (const card of byId("cards").children) drawPictures(card);
  // They contain the key to the lines.
  controlsWereOpen = byId("controls").open;
  byId("controls").open = true;
});

addEventListener("afterprint", () => {
  if (!onPaper) return;
  onPaper = false;
  byId("controls").open = controlsWereOpen;
  for (const card of byId("cards").children) if (!near.has(card)) removePictures(card);
});
