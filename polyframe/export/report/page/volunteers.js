// The table of volunteers, each with a link that shows their marks.

const VOLUNTEERS = DATA.volunteers;
const FIRST_VOLUNTEERS = 20;
// The volunteer of a followed link; only clusters and outliers with their marks are shown.
let onlyVolunteer = null;

const VOLUNTEER_COLUMNS = [
  ["score", fraction],
  ["classifications", formatNumber],
  ["marks", formatNumber],
  ["outliers", formatNumber],
  ["precision", fraction],
  ["recall", fraction],
  ["iou", fraction, "IoU"],
];

function fraction(value) {
  return value === null ? "–" : value.toFixed(2);
}

function showVolunteers(all = false) {
  const count = VOLUNTEERS.name.length, box = byId("volunteer-table");
  byId("volunteers").hidden = !count;
  if (!count) return;
  const withMarks = new Set(GROUPS.volunteers.flat());
  const rows = VOLUNTEERS.name.slice(0, all ? count : FIRST_VOLUNTEERS).map((name, volunteer) =>
    make("tr", {},
      make("th", { scope: "row" }, withMarks.has(volunteer) ? make("a", { href: `#volunteer-${volunteer + 1}` }, name) : name),
      ...VOLUNTEER_COLUMNS.map(([column, format]) => make("td", {}, format(VOLUNTEERS[column][volunteer])))));
  const heads = ["volunteer", ...VOLUNTEER_COLUMNS.map(([column, , name]) => name ?? column)];
  box.replaceChildren(tableBox("Volunteers", heads, rows, "wide numbers"));
  byId("more-volunteers").hidden = all || count <= FIRST_VOLUNTEERS;
  byId("more-volunteers").textContent = `Show all ${several(count, "volunteer")}`;
}

byId("more-volunteers").addEventListener("click", () => {
  showVolunteers(true);
  // The first link that is new: volunteers without marks in the report have none.
  const more = [...byId("volunteer-table").querySelectorAll("tbody tr")].slice(FIRST_VOLUNTEERS);
  (more.map((row) => row.querySelector("a")).find(Boolean) ?? byId("volunteers")).focus();
});

// A link to all marks of the volunteer who drew a mark, if they are in the report.
function volunteerOfMark(group, mark) {
  const volunteer = GROUPS.volunteers[group][mark];
  return volunteer < 0 ? "–" : make("a", { href: `#volunteer-${volunteer + 1}` }, VOLUNTEERS.name[volunteer]);
}

// Whether a volunteer has a mark in a cluster, or an outlier in its group.
function drewIn(volunteer, row) {
  const group = CLUSTERS.group[row], labels = GROUPS.labels[group];
  return GROUPS.volunteers[group].some((who, k) => who === volunteer && (labels[k] < 0 || labels[k] === CLUSTERS.label[row]));
}

const marksOfVolunteer = (volunteer, group) =>
  GROUPS.volunteers[group].flatMap((who, k) => (who === volunteer ? [k] : []));

function volunteerSentence(volunteer) {
  const marks = GROUPS.volunteers.reduce((sum, ofGroup) => sum + ofGroup.filter((who) => who === volunteer).length, 0);
  const name = VOLUNTEERS.name[volunteer];
  return name === undefined ? "There is no such volunteer." : `${name} drew ${several(marks, "mark")} in this report; they stand out below.`;
}
