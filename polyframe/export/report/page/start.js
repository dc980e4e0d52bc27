// Links within the page, and its initial state.

// What links to the chosen subject or volunteer lead to.
function choiceAnchor() {
  return onlySubject !== null ? `subject-${onlySubject}` : onlyVolunteer !== null ? `volunteer-${onlyVolunteer + 1}` : "";
}

// Not by setting location.hash, which would scroll to the top.
function leaveHash() {
  history.replaceState(null, "", `#${choiceAnchor()}`);
}

function followHash() {
  const hash = location.hash.slice(1);
  const row = hash.startsWith("cluster-") ? rowAt(hash) : undefined;
  if (row !== undefined) {
    showDetails(row);
    return;
  }
  if (DIALOG.open) {
    current = null;
    DIALOG.close();
  }
  if (hash.startsWith("subject-")) {
    choose({ subject: hash.slice("subject-".length) });
  } else if (hash.startsWith("volunteer-")) {
    choose({ volunteer: Number(hash.slice("volunteer-".length)) - 1 });
  } else if (!hash && (onlySubject !== null || onlyVolunteer !== null)) {
    forgetChoice();
    apply();
  }
}

function choose({ subject = null, volunteer = null }) {
  onlySubject = onlyVolunteer = null;
  FILTERS.reset();
  onlySubject = subject;
  onlyVolunteer = volunteer;
  byId("subject").value = subject ?? "";
  forgetCards();
  apply();
  byId("of-subject").scrollIntoView();
  byId("of-subject").focus({ preventScroll: true });
}

document.body.classList.add("with-script");
const HAS_IMAGES = Boolean(document.querySelector("[id^='image-'][type='text/plain']"));
document.body.classList.toggle("images", HAS_IMAGES);
document.body.classList.toggle("with-contours", DATA.contours);
document.body.classList.toggle("with-corrections", DATA.clusters.correction.some((one) => one !== null));
byId("image-layer").hidden = !HAS_IMAGES;
document.querySelector("[data-layer=contours]").parentElement.hidden = !DATA.contours;
// On a small screen the clusters come first.
if (NARROW.matches) byId("controls").open = PANEL.open = false;
fillTools();
apply();
listSubjectsWithoutMarks();
showVolunteers();
cardsUpTo(USUAL_LIMIT);
followHash();
addEventListener("hashchange", followHash);
// After the page is drawn.
setTimeout(startLiveSettings);
