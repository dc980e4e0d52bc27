// Links within the page, and its initial state.

// Not by setting location.hash, which would scroll to the top.
function leaveHash() {
  history.replaceState(null, "", onlySubject === null ? "#" : `#subject-${onlySubject}`);
}

function followHash() {
  const hash = location.hash.slice(1);
  const row = rowAt(hash);
  if (row !== undefined) {
    showDetails(row);
    return;
  }
  if (DIALOG.open) {
    current = null;
    DIALOG.close();
  }
  if (hash.startsWith("subject-")) {
    onlySubject = null;
    FILTERS.reset();
    onlySubject = hash.slice("subject-".length);
    byId("subject").value = onlySubject;
    apply();
    byId("clusters").scrollIntoView();
    byId("clusters").focus({ preventScroll: true });
  } else if (!hash && onlySubject !== null) {
    onlySubject = null;
    byId("subject").value = "";
    apply();
  }
}

document.body.classList.add("with-script");
const HAS_IMAGES = Boolean(document.querySelector("[id^='image-'][type='text/plain']"));
document.body.classList.toggle("images", HAS_IMAGES);
document.body.classList.toggle("with-contours", DATA.contours);
byId("image-layer").hidden = !HAS_IMAGES;
document.querySelector("[data-layer=contours]").parentElement.hidden = !DATA.contours;
// On a small screen the clusters come first.
if (NARROW.matches) byId("controls").open = PANEL.open = false;
fillTools();
apply();
startLiveSettings();
cardsUpTo(USUAL_LIMIT);
followHash();
addEventListener("hashchange", followHash);
