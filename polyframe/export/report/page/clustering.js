// The clusters of a group, as `polyframe reduce` finds them (polyframe/consensus/clustering.py, split_doubled.py).
//
// The distances of a group are an array with each pair of its marks once, ordered by (left, right): in thousandths,
// rounded up, so that `steps[pair] <= eps` for an eps in thousandths, as long as eps is less than 1.

const NOT_OVERLAPPING = 1001; // the distance is 1
const NEVER_NEIGHBOURS = 1002; // marks of one classification
const FURTHEST_JOINED = 0.999, NEVER_JOINED = 1e9;

// Calls `visit(left, right)` for each pair of neighbours among `count` marks.
function eachNeighbours(count, steps, eps, visit) {
  const furthest = eps < 1000 ? eps : NOT_OVERLAPPING;
  for (let left = 0, pair = 0; left < count; left++) {
    for (let right = left + 1; right < count; right++, pair++) {
      if (steps[pair] <= furthest) visit(left, right);
    }
  }
}

// The label of each mark: a cluster 0, 1, ..., numbered by its first core mark, or -1 for an outlier (DBSCAN).
function dbscan(count, steps, eps, minSamples) {
  const neighbours = new Int32Array(count).fill(1);
  eachNeighbours(count, steps, eps, (left, right) => {
    neighbours[left]++;
    neighbours[right]++;
  });
  const isCore = (mark) => neighbours[mark] >= minSamples;
  const components = new DisjointSets(count);
  eachNeighbours(count, steps, eps, (left, right) => {
    if (isCore(left) && isCore(right)) components.join(left, right);
  });
  const labels = new Int32Array(count).fill(-1);
  let clusters = 0;
  for (let mark = 0; mark < count; mark++) {
    if (!isCore(mark)) continue;
    const first = components.first(mark);
    labels[mark] = first === mark ? clusters++ : labels[first];
  }
  // A mark that is not a core joins the first of the clusters whose cores are its neighbours.
  const joinFirst = (mark, core) => {
    if (isCore(mark) || !isCore(core)) return;
    if (labels[mark] < 0 || labels[core] < labels[mark]) labels[mark] = labels[core];
  };
  eachNeighbours(count, steps, eps, (left, right) => {
    joinFirst(left, right);
    joinFirst(right, left);
  });
  return labels;
}

// Connected components, each known by its first member. Not called Components: Firefox has a global object of this name.
class DisjointSets {
  constructor(count) {
    this.parent = Int32Array.from({ length: count }, (_, member) => member);
  }

  first(member) {
    const { parent } = this;
    while (parent[member] !== member) {
      parent[member] = parent[parent[member]];
      member = parent[member];
    }
    return member;
  }

  join(one, other) {
    const [a, b] = [this.first(one), this.first(other)];
    this.parent[Math.max(a, b)] = Math.min(a, b);
  }
}

// Splits each cluster in which at least two classifications have two or more marks by average linkage; parts of fewer
// than `minSamples` marks become outliers. `exact` are the distances themselves, infinite within a classification.
function splitDoubled(labels, classifications, exact, minSamples) {
  const members = groupedBy(labels.keys(), (mark) => labels[mark]);
  members.delete(-1);
  const parts = [];
  let changed = false;
  for (const marks of members.values()) {
    if (!isDoubled(marks, classifications)) {
      parts.push(marks);
      continue;
    }
    changed = true;
    parts.push(...averageLinkage(marks, exact, labels.length).filter((part) => part.length >= minSamples));
  }
  if (!changed) return labels;
  // Numbered by their first marks.
  const split = new Int32Array(labels.length).fill(-1);
  parts.sort((a, b) => a[0] - b[0]).forEach((marks, label) => marks.forEach((mark) => (split[mark] = label)));
  return split;
}

function isDoubled(marks, classifications) {
  const once = new Set(), twice = new Set();
  for (const mark of marks) (once.has(classifications[mark]) ? twice : once).add(classifications[mark]);
  return twice.size >= 2;
}

// Joins the nearest parts until their mean distance reaches .999, by chains of nearest neighbours (Müllner 2011, as
// SciPy implements it, so that parts at equal distances are joined in the same order).
function averageLinkage(marks, exact, countOfGroup) {
  const count = marks.length, sizes = new Int32Array(count).fill(1);
  const distances = new Float64Array(count * count);
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) {
      const distance = exact[pairIndex(countOfGroup, marks[a], marks[b])];
      distances[a * count + b] = distances[b * count + a] = Math.min(distance, NEVER_JOINED);
    }
  }
  const components = new DisjointSets(count), chain = [];
  for (let joined = 0; joined + 1 < count; joined++) {
    if (!chain.length) chain.push(sizes.findIndex((size) => size > 0));
    let x, y, least;
    for (;;) {
      x = chain.at(-1);
      // Prefer the previous part of the chain, so that equal distances do not make it a circle.
      y = chain.length > 1 ? chain.at(-2) : -1;
      least = y < 0 ? Infinity : distances[x * count + y];
      for (let other = 0; other < count; other++) {
        if (!sizes[other] || other === x) continue;
        if (distances[x * count + other] < least) {
          least = distances[x * count + other];
          y = other;
        }
      }
      if (chain.length > 1 && y === chain.at(-2)) break;
      chain.push(y);
    }
    chain.length -= 2;
    const [small, large] = [Math.min(x, y), Math.max(x, y)];
    if (least < FURTHEST_JOINED) components.join(small, large);
    const [sizeOfSmall, sizeOfLarge] = [sizes[small], sizes[large]];
    sizes[small] = 0;
    sizes[large] = sizeOfSmall + sizeOfLarge;
    for (let other = 0; other < count; other++) {
      if (!sizes[other] || other === large) continue;
      const sum = sizeOfSmall * distances[small * count + other] + sizeOfLarge * distances[large * count + other];
      distances[large * count + other] = distances[other * count + large] = sum / (sizeOfSmall + sizeOfLarge);
    }
  }
  const parts = groupedBy(marks.keys(), (place) => components.first(place));
  return [...parts.values()].map((places) => places.map((place) => marks[place]));
}

function pairIndex(count, left, right) {
  return (left * (2 * count - left - 1)) / 2 + right - left - 1;
}

// The clusters of a group by label: how many marks each has, and its consensus, to half a thousandth.
function describeClusters(labels, steps) {
  const count = labels.length, marks = [], sums = [];
  for (const label of labels) if (label >= 0) marks[label] = (marks[label] ?? 0) + 1;
  for (let left = 0, pair = 0; left < count; left++) {
    for (let right = left + 1; right < count; right++, pair++) {
      if (labels[left] < 0 || labels[left] !== labels[right]) continue;
      sums[labels[left]] = (sums[labels[left]] ?? 0) + distanceOf(steps[pair]);
    }
  }
  return marks.map((number, label) => {
    const pairs = (number * (number - 1)) / 2;
    return { label, marks: number, consensus: 1 - (sums[label] ?? 0) / Math.max(pairs, 1) };
  });
}

// The middle of the range of distances that are rounded up to so many thousandths; an infinite one counts as 1.
function distanceOf(step) {
  if (step >= NOT_OVERLAPPING) return 1;
  return step ? (step - 0.5) / 1000 : 0;
}
