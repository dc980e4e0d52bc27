// The table of volunteers, each with a link that shows their marks.

const VOLUNTEERS = DATA.volunteers;
const FIRST_VOLUNTEERS = 20;
// The volunteer of a followed link; only clusters and outliers with their marks are shown.
let onlyVolunteer = null;

// Columns with their headings, how their values are shown, and whether the largest come first: the worst ones.
const VOLUNTEER_COLUMNS = [
  { name: "name", heading: "volunteer", format: String },
  { name: "score", format: fraction },
  { name: "classifications", format: formatNumber, largestFirst: true },
  { name: "marks", format: formatNumber, largestFirst: true },
  { name: "outliers", format: formatNumber, largestFirst: true },
  { name: "precision", format: fraction },
  { name: "recall", format: fraction },
  { name: "iou", heading: "IoU", format: fraction },
];
let volunteerOrder = { name: "score", descending: false }, allVolunteers = false;

function fraction(value) {
  return value === null ? "–" : value.toFixed(2);
}

let volunteersWithMarks = null;
function hasMarks(volunteer) {
  volunteersWithMarks ??= new Set(GROUPS.volunteers.flat());
  return volunteersWithMarks.has(volunteer);
}

// Those whose name contains the text of the filter, in the chosen order; of equal ones, the lowest score first.
function chosenVolunteers() {
  const text = byId("volunteer-filter").value.trim().toLowerCase(), values = VOLUNTEERS[volunteerOrder.name];
  return [...VOLUNTEERS.name.keys()]
    .filter((volunteer) => VOLUNTEERS.name[volunteer].toLowerCase().includes(text))
    .sort((a, b) => compareValues(values[a], values[b], volunteerOrder.descending) || a - b);
}

function showVolunteers() {
  const count = VOLUNTEERS.name.length, more = byId("more-volunteers");
  byId("volunteers").hidden = !count;
  if (!count) return;
  if (!byId("volunteer-table").firstChild) addVolunteerTable();
  const chosen = chosenVolunteers(), { name, descending } = volunteerOrder;
  const list = chosen.slice(0, allVolunteers ? Infinity : FIRST_VOLUNTEERS);
  const rest = list.length < chosen.length ? `; the first ${list.length} are shown` : "";
  byId("volunteers-count").textContent = `${formatNumber(chosen.length)} of ${several(count, "volunteer")}${rest}`;
  VOLUNTEER_COLUMNS.forEach((column, k) => {
    const head = byId("volunteer-table").querySelectorAll("thead th")[k];
    if (column.name === name) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  byId("volunteer-table").querySelector("tbody").replaceChildren(...list.map(volunteerRow));
  more.hidden = !rest;
  more.textContent = `Show all ${several(chosen.length, "volunteer")}`;
}

function addVolunteerTable() {
  const heads = VOLUNTEER_COLUMNS.map(({ name, heading = name, largestFirst = false }) => {
    const button = make("button", { type: "button", class: "sort" }, heading);
    button.addEventListener("click", () => {
      const again = volunteerOrder.name === name;
      volunteerOrder = { name, descending: again ? !volunteerOrder.descending : largestFirst };
      showVolunteers();
    });
    return make("th", { scope: "col" }, button);
  });
  byId("volunteer-table").append(tableBox("Volunteers", heads, [], "wide numbers"));
}

function volunteerRow(volunteer) {
  const [{ format, name }, ...others] = VOLUNTEER_COLUMNS, text = format(VOLUNTEERS[name][volunteer]);
  return make("tr", {},
    make("th", { scope: "row" }, hasMarks(volunteer) ? make("a", { href: `#volunteer-${volunteer + 1}` }, text) : text),
    ...others.map((column) => make("td", {}, column.format(VOLUNTEERS[column.name][volunteer]))));
}

byId("volunteer-filter").addEventListener("input", showVolunteers);
byId("more-volunteers").addEventListener("click", () => {
  allVolunteers = true;
  showVolunteers();
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
