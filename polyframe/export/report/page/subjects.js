// The list of subjects: one card for each subject with a row that the filters choose, in the order of these rows.

const FIRST_SUBJECTS = 12;
let subjectsShown = [], allSubjects = false;

const SUBJECT_CARD = make("article", { class: "subject" },
  make("a", { class: "thumbnail", tabindex: -1, "aria-hidden": "true" }),
  make("div", {}, make("h3", {}, make("a")), make("p", { class: "facts" }), make("p", { class: "facts" }), make("p", { class: "badges" })));

function showSubjects(rows) {
  subjectsShown = [...new Set(rows.map(subjectOf))];
  // Those in which nobody agrees on anything are the worst.
  if (byId("order").value === "worst" && tried === null) subjectsShown.sort((a, b) => agreesOnSome(a) - agreesOnSome(b));
  sortSubjects();
  byId("subjects").hidden = onlySubject !== null;
  const all = Object.keys(DATA.subjects).length;
  const rest = subjectsShown.length > FIRST_SUBJECTS && !allSubjects ? `; the first ${FIRST_SUBJECTS} are shown` : "";
  byId("subjects-count").textContent = `${formatNumber(subjectsShown.length)} of ${several(all, "subject")}${rest}`;
  const list = subjectsShown.slice(0, allSubjects ? Infinity : FIRST_SUBJECTS);
  thumbnailsInView.disconnect();
  byId("subject-cards").replaceChildren(...list.map(newSubjectCard));
  byId("subject-cards").querySelectorAll(".thumbnail").forEach((thumbnail) => thumbnailsInView.observe(thumbnail));
  const more = byId("more-subjects");
  more.hidden = subjectsShown.length <= FIRST_SUBJECTS;
  more.textContent = allSubjects ? `Show the first ${FIRST_SUBJECTS}` : `Show all ${several(subjectsShown.length, "subject")}`;
  more.setAttribute("aria-expanded", String(allSubjects));
}

// What subjects can be sorted by, and whether the largest come first.
const SUBJECT_ORDERS = {
  subject: [(subject) => subject],
  volunteers: [(subject) => DATA.subjects[subject].volunteers],
  clusters: [(subject) => numberOfClusters(subject), true],
  outliers: [(subject) => outliersOf(rowsOfSubject(subject)), true],
  consensus: [(subject) => leastConsensus(rowsOfSubject(subject))],
  expected: [(subject) => (tried === null ? DATA.subjects[subject].expected : null)],
  needed: [(subject) => missingVolunteers(DATA.subjects[subject]), true],
};

function sortSubjects() {
  const order = byId("subject-order").value, reversed = byId("subjects-reversed").getAttribute("aria-pressed") === "true";
  if (!order) {
    if (reversed) subjectsShown.reverse();
    return;
  }
  const [valueOf, largestFirst = false] = SUBJECT_ORDERS[order];
  const values = new Map(subjectsShown.map((subject) => [subject, valueOf(subject)]));
  subjectsShown.sort((a, b) => compareValues(values.get(a), values.get(b), largestFirst !== reversed));
}

byId("subject-order").addEventListener("change", () => showSubjects(shown));
byId("subjects-reversed").addEventListener("click", () => {
  const button = byId("subjects-reversed");
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  showSubjects(shown);
});

const agreesOnSome = (subject) => rowsOfSubject(subject).some(hasLabel);

function newSubjectCard(subject) {
  const card = SUBJECT_CARD.cloneNode(true), [thumbnail, text] = card.children;
  const [heading, counts, quality, badges] = text.children;
  const rows = rowsOfSubject(subject), about = DATA.subjects[subject];
  thumbnail.rows = rows;
  thumbnail.href = heading.firstChild.href = `#subject-${subject}`;
  heading.firstChild.textContent = `Subject ${subject}`;
  counts.textContent = [several(about.volunteers, "volunteer"), several(numberOfClusters(subject), "cluster"), several(outliersOf(rows), "outlier")].join(", ");
  quality.textContent = qualityOf(rows, about);
  badges.append(...badgesOf(rows, about).map((badge) => make("span", { class: "badge" }, badge)));
  for (const kind of ["corrected", "removed"]) {
    const number = rows.filter((row) => CLUSTERS.correction[row] === kind).length;
    if (number) badges.append(correctionBadge(kind, number));
  }
  return card;
}

function outliersOf(rows) {
  const groups = new Set(rows.map((row) => CLUSTERS.group[row]));
  return [...groups].reduce((sum, group) => sum + GROUPS.outliers[group], 0);
}

function leastConsensus(rows) {
  const consensus = rows.filter(isCluster).map((row) => CLUSTERS.consensus[row]);
  return consensus.length ? Math.min(...consensus) : null;
}

// How many more a subject needs; unknown with other settings, and without a cluster of at least three marks.
function missingVolunteers(about) {
  return tried === null && about.needed !== null ? Math.max(about.needed - about.classifications, 0) : null;
}

function qualityOf(rows, about) {
  const least = leastConsensus(rows), parts = [];
  if (least !== null) parts.push(`consensus from ${least.toFixed(2)}`);
  if (about.expected !== null && tried === null) parts.push(`expected IoU ${about.expected.toFixed(2)}`);
  return parts.join(", ");
}

function badgesOf(rows, about) {
  const groups = new Set(rows.map((row) => CLUSTERS.group[row])).size, without = rows.filter((row) => !hasLabel(row)).length;
  const more = missingVolunteers(about) ?? 0;
  return [
    without === 0 ? "" : without === groups ? "nobody agrees" : `${without} of ${several(groups, "group")} without a cluster`,
    more > 0 ? `needs ${formatNumber(more)} more ${more === 1 ? "volunteer" : "volunteers"}` : "",
  ].filter(Boolean);
}

const thumbnailsInView = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && !target.firstChild) target.append(thumbnailOf(target.rows));
      if (!isIntersecting && !onPaper) target.replaceChildren();
    }
  },
  { rootMargin: "600px 0px" },
);

byId("more-subjects").addEventListener("click", () => {
  allSubjects = !allSubjects;
  showSubjects(shown);
  if (!allSubjects) byId("subjects").scrollIntoView({ block: "nearest" });
});

function listSubjectsWithoutMarks() {
  const listed = DATA.subjectsWithoutMarks;
  byId("without-marks").hidden = !listed.length;
  byId("without-marks").lastElementChild.textContent = listed.join(", ");
}
