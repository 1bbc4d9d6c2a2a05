// What if one value were another: a slider or a choice, and what /predict answers then.

import { element, scale } from "./elements.js";
import { choicesOf, isChoice, isMissing, makeSelect, readValue, valueText } from "./features.js";
import { rounded, written } from "./numbers.js";
import { isOfTwo, nameOf, outcome, placeOf, POSITIVE, probabilityOf } from "./outcomes.js";
import { askRow, find, json, problemOf } from "./service.js";

const STEPS = 100; // at most so many, or some more, along a slider
const PAUSE = 120; // milliseconds without a move, after which the service is asked

let description = null;
let answered = null; // {row, prediction, model}: what is varied
let askForKey = () => {}; // where that is no longer valid
let latest = 0; // counts up with each move, so that a late answer is known as such
let timer = null;
let reset = () => {}; // puts the control back to the value that was answered

export function forgetWhatIf() {
  cancel();
  find("what-if").hidden = true;
}

export function startWhatIf(described, answer, reload) {
  cancel();
  [description, answered, askForKey] = [described, answer, reload];
  const features = description.contract.features.filter(canVary);
  find("what-if").hidden = !features.length;
  if (!features.length) return;
  const select = makeSelect(features.map(({ name }) => [name, name]));
  select.id = "varied";
  select.addEventListener("change", () => vary(features[select.selectedIndex]));
  find("what-if-feature").replaceChildren(element("label", { for: "varied" }, "Value to change"), select);
  vary(features[0]);
}

function cancel() {
  latest += 1;
  clearTimeout(timer);
}

// Dates have no control that steps; a number needs a range to move in.
function canVary(feature) {
  if (isChoice(feature)) return optionsOf(feature).length > 1;
  return feature.type !== "date" && stopsOf(feature, null).length > 1;
}

const optionsOf = (feature) => [
  ...(feature.nullable ? [["not known", ""]] : []),
  ...choicesOf(feature),
];

function vary(feature) {
  const value = answered.row[feature.name];
  const { control, shown, read, putBack } = (isChoice(feature) ? makeChoice : makeSlider)(feature, value);
  control.id = "variation";
  control.addEventListener("input", () => move(feature, read()));
  reset = () => {
    putBack();
    move(feature, value);
    control.focus();
  };
  const was = element("span", { class: "unit" }, `was ${valueText(feature, value)}`);
  const label = element("label", { for: "variation" }, `${feature.name} `, was);
  find("what-if-control").replaceChildren(element("div", { class: "line" }, label, ...shown), control);
  move(feature, value);
}

function makeChoice(feature, value) {
  const control = makeSelect(optionsOf(feature));
  const putBack = () => (control.value = value === null ? "" : String(value));
  putBack();
  return { control, shown: [], read: () => readValue(feature, control.value), putBack };
}

function makeSlider(feature, value) {
  const stops = stopsOf(feature, value);
  const start = startOf(stops, isMissing(feature, value) ? null : value);
  const control = element("input", { type: "range", min: 0, max: stops.length - 1, step: 1 });
  // Not announced: the slider says its value itself.
  const now = element("output", { for: "variation", id: "varied-value", "aria-live": "off" });
  const read = () => stops[Number(control.value)];
  const say = (some) => {
    now.textContent = valueText(feature, some);
    control.setAttribute("aria-valuetext", now.textContent);
  };
  const putBack = () => {
    control.value = start;
    say(value);
  };
  control.addEventListener("input", () => say(read()));
  putBack();
  return { control, shown: [now], read, putBack };
}

// A value outside of the range stands at its nearer end, a missing one in the middle.
function startOf(stops, value) {
  if (value === null) return Math.floor((stops.length - 1) / 2);
  const distances = stops.map((stop) => Math.abs(stop - value));
  return distances.indexOf(Math.min(...distances));
}

// The values along a slider: round ones, the ends of the range seen in training, and the row's own.
function stopsOf(feature, value) {
  const [low, high] = rangeOf(feature);
  if (!(low < high)) return [];
  const step = roundStep((high - low) / STEPS, feature.type === "integer");
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  const stops = [low, high];
  for (let i = Math.floor(low / step) + 1; i * step < high; i += 1) {
    stops.push(Number((i * step).toFixed(digits)));
  }
  if (value !== null && value > low && value < high) stops.push(value);
  const some = [...new Set(stops)].filter((stop) => !isMissing(feature, stop));
  return some.sort((a, b) => a - b);
}

function rangeOf({ type, training_range: range, minimum, maximum }) {
  const [from, to] = range ?? [minimum ?? NaN, maximum ?? NaN];
  const [low, high] = [Math.max(from, minimum ?? from), Math.min(to, maximum ?? to)];
  return type === "integer" ? [Math.ceil(low), Math.floor(high)] : [low, high];
}

// The smallest of 1, 2, 5, 10, 20, … or of .1, .2, .5, … that is not below a size.
function roundStep(size, whole) {
  const power = 10 ** Math.floor(Math.log10(size));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= size * (1 - 1e-9));
  return whole ? Math.max(1, step) : step;
}

function move(feature, value) {
  cancel();
  find("what-if-error").textContent = "";
  const changed = value !== answered.row[feature.name];
  find("reset").disabled = !changed;
  if (changed) timer = setTimeout(answer, PAUSE, feature, value, latest);
  else showAnswer(answered.prediction, false);
}

async function answer({ name }, value, mine) {
  const answer = await askRow("predict", { ...answered.row, [name]: value });
  const found = answer.ok ? await json(answer) : await problemOf(answer);
  if (mine !== latest) return;
  if (found.status === 401) askForKey();
  if (!answer.ok) showProblem(found.text);
  else if (found.model.version !== answered.model.version) {
    showProblem("Another version of the model answers by now: predict again.");
  } else showAnswer(found.predictions[0], true);
}

function showProblem(text) {
  find("what-if-text").replaceChildren(element("p", { class: "muted" }, "There is no answer to this value."));
  find("what-if-error").textContent = text;
}

// The probability of the class that was answered with, and what is predicted, before and now.
function showAnswer(prediction, changed) {
  const [before, now] = [answered.prediction, prediction].map((each) => placeOf(description, each));
  const place = isOfTwo(description) ? POSITIVE : before;
  const [was, is] = [answered.prediction, prediction].map((each) => probabilityOf(description, each, place));
  const figure = changed ? `${textOf(was)} → ${textOf(is)}` : textOf(was);
  const verb = is > was ? "rises" : is < was ? "falls" : "stays the same";
  const sentence = changed
    ? `The probability that ${outcome(description, place)} ${verb}.`
    : `is the probability that ${outcome(description, place)}. Nothing is changed yet.`;
  const same = changed ? ", as before" : "";
  const decision = before === now ? same : ` instead of ${nameOf(description, before)}`;
  find("what-if-text").replaceChildren(
    element("p", { class: "figure" }, element("strong", {}, figure)),
    element("p", {}, sentence),
    ...(isOfTwo(description) ? [scaleOf(is, was)] : []),
    element("p", { class: "label" }, `Predicted: ${outcome(description, now)}${decision}`),
  );
}

function scaleOf(probability, was) {
  const { threshold } = description.contract;
  return scale(probability, threshold, ...written(probability, threshold), was);
}

function textOf(probability) {
  const { threshold } = description.contract;
  return isOfTwo(description) ? written(probability, threshold)[0] : rounded(probability);
}

find("reset").addEventListener("click", () => reset());
