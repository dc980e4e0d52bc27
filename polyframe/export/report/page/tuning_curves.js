// How the totals depend on eps: a curve for each, with the value shown marked. They are computed in steps, so that the page
// stays responsive, and once they are in view, since they take longer than anything else when a page opens.

const CURVE_STEP = 25, CURVE_POINTS = 40; // thousandths of eps
const CURVE_WIDTH = 240, CURVE_HEIGHT = 44;
const CURVES = [...document.querySelectorAll(".curve svg")];
// The totals at each eps of the curves, by min_samples.
const totalsOfCurves = new Map();
let nextPoint = 0, curvesInView = false;

function watchCurves() {
  new IntersectionObserver((entries) => {
    curvesInView = entries.at(-1).isIntersecting;
    showCurves();
  }).observe(CURVES[0].closest(".curves"));
}

function showCurves() {
  if (LIVE.unavailable || !curvesInView) return;
  const { minSamples } = settingsShown();
  const points = totalsOfCurves.get(minSamples) ?? [];
  totalsOfCurves.set(minSamples, points);
  for (const curve of CURVES) drawCurve(curve, points);
  clearTimeout(nextPoint);
  if (points.length < CURVE_POINTS) nextPoint = setTimeout(() => addPoints(points, minSamples), 30);
}

function addPoints(points, minSamples) {
  const end = performance.now() + 12; // milliseconds, so that the page stays responsive
  while (points.length < CURVE_POINTS && performance.now() < end) {
    const settings = { eps: CURVE_STEP * (points.length + 1), minSamples };
    const labels = OUTPUT_LABELS.map((_, group) => labelsWith(settings, group));
    points.push(totals(labels.flatMap(rowsWith), labels));
  }
  showCurves();
}

function drawCurve(curve, points) {
  const name = curve.dataset.measure;
  const values = points.map((point) => point[name]);
  const highest = name === "consensus" ? 1 : Math.max(...values, LIVE.totals[name], 1);
  const x = (eps) => (eps / 1000) * CURVE_WIDTH;
  const y = (value) => CURVE_HEIGHT - (value / highest) * CURVE_HEIGHT;
  const line = values
    .map((value, k) => (value === null ? "" : `${k && values[k - 1] !== null ? "L" : "M"}${x(CURVE_STEP * (k + 1)).toFixed(1)} ${y(value).toFixed(1)}`))
    .join("");
  curve.querySelector(".track").setAttribute("d", line);
  const { eps } = settingsShown();
  placeAt(curve.querySelector(".at-output"), x(1000 * LIVE.eps));
  placeAt(curve.querySelector(".at-tried"), x(eps));
  curve.parentElement.querySelector(".highest").textContent = formatMeasure(name, highest).replace(".000", "");
}

function placeAt(line, x) {
  line.setAttribute("x1", x.toFixed(1));
  line.setAttribute("x2", x.toFixed(1));
}
