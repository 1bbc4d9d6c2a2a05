// The page for people: a form made from the model's contract, and a CSV's way there and back.
// Whatever comes from the service or from a file becomes text nodes, never markup.

import { element, scale } from "./elements.js";
import { explain, forgetExplanation } from "./explanation.js";
import { choicesOf, isChoice, makeSelect, readValue } from "./features.js";
import { rounded, written } from "./numbers.js";
import { isOfTwo, nameOf, outcome, placeOf, POSITIVE } from "./outcomes.js";
import { ask, askRow, find, json, problemOf, start } from "./service.js";
import { forgetWhatIf, startWhatIf } from "./what_if.js";

const SHOWN_ROWS = 100;
const SHOWN_CLASSES = 10; // the others unfold
const NUMBER = new Intl.NumberFormat("en");

let description = null; // /contract: {model, contract, example, labels, max_rows, max_body, max_explained}
let fields = new Map(); // by the feature's name: {feature, input, said}
let asked = 0; // counts up when what is shown no longer fits what is in the form

// The form ---------------------------------------------------------------------------------

function show(described) {
  const before = new Map([...fields].map(([name, field]) => [name, field.input.value]));
  description = described;
  const { contract, model } = description;
  document.title = `Predict: ${model.name}`;
  find("title").textContent = model.name;
  const estimated = isOfTwo(description) ? `it is that ${outcome(description, POSITIVE)}` : `each class of ${contract.target} is`;
  find("purpose").textContent = `An estimate by a statistical model: how probable ${estimated}.`;
  find("identity").textContent = `${model.name}, version ${model.version}, ${model.stage}`;
  fields = new Map(contract.features.map((feature, i) => [feature.name, makeField(feature, i)]));
  find("fields").replaceChildren(...[...fields.values()].map((field) => field.box));
  for (const [name, value] of before) if (fields.has(name)) fields.get(name).input.value = value;
  find("many-hint").replaceChildren(aboutCsv(), ...aboutWhy());
  find("model").hidden = false;
}

function makeField(feature, i) {
  const [id, about, saying] = [`field-${i}`, `about-${i}`, `said-${i}`];
  const empty = [feature.nullable ? "not known" : "choose", ""];
  const input = isChoice(feature) ? makeSelect([empty, ...choicesOf(feature)]) : makeInput(feature);
  input.id = id;
  input.required = !feature.nullable;
  input.setAttribute("aria-describedby", `${about} ${saying}`);
  input.addEventListener("input", () => {
    say(fields.get(feature.name), "", "");
    outdate();
  });
  const label = element("label", { for: id }, feature.name);
  if (feature.unit) label.append(" ", element("span", { class: "unit" }, feature.unit));
  const hint = element("p", { id: about, class: "hint" }, ...lines(aboutField(feature)));
  const said = element("p", { id: saying, class: "said" });
  return { feature, input, said, box: element("div", { class: "field" }, label, input, hint, said) };
}

function makeInput(feature) {
  if (feature.type === "date") {
    return element("input", { type: "text", autocomplete: "off", placeholder: feature.date_format });
  }
  const { minimum, maximum, missing_values: missing } = feature;
  const input = element("input", {
    type: "number",
    step: feature.type === "integer" ? "1" : "any",
    autocomplete: "off",
    placeholder: feature.nullable ? "not known" : "",
  });
  // A value that means "missing" may lie beyond the limits.
  const free = missing.some((value) => value < (minimum ?? value) || value > (maximum ?? value));
  if (minimum !== null && !free) input.min = minimum;
  if (maximum !== null && !free) input.max = maximum;
  if (minimum !== null && minimum >= 0) {
    input.inputMode = feature.type === "integer" ? "numeric" : "decimal";
  }
  // Scrolling the page must not change a value.
  input.addEventListener("wheel", () => input.blur(), { passive: true });
  return input;
}

function aboutField({ name, type, nullable, minimum, maximum, ...feature }) {
  const text = feature.description === name ? "" : feature.description;
  if (type === "boolean" || type === "category") return [text];
  if (type === "date") return [text, `a date, such as ${description.example[name]}`];
  const range = [];
  if (minimum !== null && maximum !== null) range.push(`${minimum} to ${maximum}`);
  else if (minimum !== null) range.push(`at least ${minimum}`);
  else if (maximum !== null) range.push(`at most ${maximum}`);
  if (feature.training_range) range.push(`in training ${feature.training_range.join(" to ")}`);
  const missing = [...(nullable ? ["empty"] : []), ...feature.missing_values];
  return [text, range.join(" · "), missing.length ? `${missing.join(" or ")} if not known` : ""];
}

const lines = (texts) => texts.filter(Boolean).map((text) => element("span", {}, text));

function say(field, kind, text) {
  field.said.textContent = text;
  field.said.className = `said ${kind}`;
  field.box.className = `field ${kind}`;
  field.input.setAttribute("aria-invalid", String(kind === "error"));
}

function fillIn() {
  for (const [name, { input }] of fields) input.value = String(description.example[name]);
  clear();
}

const valueIn = ({ feature, input }) => readValue(feature, input.value);

// One row ----------------------------------------------------------------------------------

async function predict(event) {
  event.preventDefault();
  clear();
  // To a browser what is no number is an empty field, which would pass for "not known".
  const unreadable = [...fields.values()].filter(({ input }) => input.validity.badInput);
  if (unreadable.length) {
    for (const field of unreadable) say(field, "error", "This is not a number.");
    unreadable[0].input.focus();
    return;
  }
  const mine = ++asked;
  const row = Object.fromEntries([...fields].map(([name, field]) => [name, valueIn(field)]));
  const answer = await askRow("predict", row);
  if (mine !== asked) return;
  if (answer.ok) await showAnswer(await json(answer), row, mine);
  else showProblem(await problemOf(answer));
}

function clear() {
  for (const field of fields.values()) say(field, "", "");
  find("form-error").textContent = "";
  outdate();
}

function outdate() {
  asked += 1;
  forgetExplanation();
  forgetWhatIf();
  const answer = find("answer");
  if (!answer.classList.contains("answered")) return;
  answer.classList.remove("answered");
  unanswered("The values have changed: predict again.");
}

function unanswered(text) {
  find("answer-text").replaceChildren(element("p", { class: "muted" }, text));
}

async function showAnswer({ predictions: [prediction], model }, row, mine) {
  // Another version answers by now: its limits and its threshold count.
  if (model.version !== description.model.version) await load();
  if (mine !== asked) return;
  const decided = isOfTwo(description) ? ofTwo(prediction) : ofMore(prediction);
  find("answer-text").replaceChildren(...decided, ...unusual(prediction.warnings));
  find("answer").classList.add("answered");
  find("answer").scrollIntoView({ block: "nearest" });
  if (!description.max_explained) return; // a version of before there were explanations
  const answered = { row, prediction, model };
  startWhatIf(description, answered, load);
  explain(description, answered, load);
}

function ofTwo({ label, probability }) {
  const threshold = description.contract.threshold;
  const [p, t] = written(probability, threshold);
  const place = placeOf(description, { label });
  const verb = place === POSITIVE ? "reaches" : "stays below";
  return [
    element("p", { class: "figure" }, element("strong", { id: "probability" }, p)),
    element("p", {}, `is the probability that ${outcome(description, POSITIVE)}.`),
    scale(probability, threshold, p, t),
    element("p", { id: "label", class: "label" }, `Predicted: ${outcome(description, place)}`),
    element("p", { class: "muted" }, `The probability ${verb} the threshold, ${t}.`),
  ];
}

function ofMore({ label, probabilities }) {
  const predicted = placeOf(description, { label });
  // By the classes, not by the object's keys: JavaScript puts those that are numbers first.
  const all = description.contract.classes.map((value) => probabilities[value]);
  const places = [...all.keys()].filter((place) => place !== predicted);
  places.sort((a, b) => all[b] - all[a]);
  const [p, second] = written(all[predicted], all[places[0]]);
  const texts = [p, second, ...places.slice(1).map((place) => rounded(all[place]))];
  const bars = [predicted, ...places].map((place, i) => bar(nameOf(description, place), all[place], texts[i]));
  return [
    element("p", { class: "figure" }, element("strong", { id: "probability" }, p)),
    element("p", {}, `is the probability that ${outcome(description, predicted)}.`),
    element("p", { id: "label", class: "label" }, `Predicted: ${outcome(description, predicted)}`),
    element("p", { id: "second", class: "muted" }, `Next: ${nameOf(description, places[0])}, ${second}.`),
    ...unfolding(bars),
  ];
}

// The probability of one class, as a number and as a bar, which says nothing more.
function bar(name, probability, text) {
  const width = `${100 * probability}%`;
  return element(
    "li",
    {},
    element("span", { class: "name" }, name),
    element("span", { class: "value" }, text),
    element(
      "svg",
      { class: "bar", "aria-hidden": "true" },
      element("rect", { class: "track", width: "100%", height: 8, rx: 4 }),
      element("rect", { class: "fill", width, height: 8, rx: 4 }),
    ),
  );
}

function unfolding(bars) {
  const list = (some, start) => element("ol", { class: "classes", start }, ...some);
  const rest = bars.slice(SHOWN_CLASSES);
  const first = list(bars.slice(0, SHOWN_CLASSES), 1);
  if (!rest.length) return [first];
  const more = rest.length === 1 ? "1 more class" : `${rest.length} more classes`;
  const summary = element("summary", {}, more);
  return [first, element("details", {}, summary, list(rest, SHOWN_CLASSES + 1))];
}

function unusual(warnings) {
  if (!warnings.length) return [];
  const names = [...fields.keys()].sort((a, b) => b.length - a.length);
  for (const warning of warnings) {
    // One name may begin with another: the longest that fits is meant.
    const name = names.find((each) => warning.startsWith(`${each} `));
    if (name) say(fields.get(name), "warning", `${warning}.`);
  }
  const items = warnings.map((warning) => element("li", {}, `${warning}.`));
  return [
    element(
      "div",
      { class: "warnings" },
      element("p", {}, "Unusual values: for these the model knows no examples."),
      element("ul", {}, ...items),
    ),
  ];
}

function showProblem({ status, text, errors }) {
  if (status === 401) load();
  const refused = errors
    .map(({ pointer, detail }) => ({ field: fields.get(steps(pointer)[0]), detail }))
    .filter(({ field }) => field);
  for (const { field, detail } of refused) {
    say(field, "error", `${field.feature.name} ${detail}.`);
  }
  unanswered("There is no answer to these values.");
  const atFields = errors.length > 0 && refused.length === errors.length;
  find("form-error").textContent = atFields ? "Not answered: see the fields marked in red." : text;
  if (refused.length) refused[0].field.input.focus();
}

// The steps of a JSON pointer: RFC 6901.
const steps = (pointer) =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));

// Many rows --------------------------------------------------------------------------------

function aboutCsv() {
  const names = description.contract.features.map((feature) => feature.name).join(", ");
  const most = NUMBER.format(description.max_rows);
  return (
    `A CSV file whose first line names the columns: ${names}. An empty cell is a value that is ` +
    `not known. At most ${most} rows and ${megabytes(description.max_body)} at once.`
  );
}

function aboutWhy() {
  if (!description.max_explained) return [];
  const [request, command] = ["POST /explain", "score --explain"].map((text) => element("code", {}, text));
  return [" Why each row gets its answer, ", request, " and ", command, " add to a table."];
}

const megabytes = (bytes) => `${NUMBER.format(bytes / 2 ** 20)} MiB`;

async function scoreFile(file) {
  forgetFile();
  if (description === null) {
    find("many-error").textContent = "The model is not known yet: try again in a moment.";
    return;
  }
  if (file.size > description.max_body) {
    find("many-error").textContent =
      `${file.name} has ${megabytes(file.size)}; at most ${megabytes(description.max_body)} are taken.`;
    return;
  }
  find("many-text").textContent = `${file.name} is being answered …`;
  const answer = await ask("predict", {
    method: "POST",
    headers: { "Content-Type": "text/csv", Accept: "text/csv" },
    body: file,
  });
  find("many-text").textContent = "";
  if (answer.ok) {
    const text = await answer.body.text();
    showScored(file.name, answer.body, parseCsv(text, separatorOf(text)));
  } else showFileProblem(file.name, await problemOf(answer));
}

function forgetFile() {
  const link = find("many-answer").querySelector("a");
  if (link) URL.revokeObjectURL(link.href);
  for (const id of ["many-error", "many-text", "many-answer"]) find(id).replaceChildren();
}

function showFileProblem(name, { status, text, errors }) {
  if (status === 401) load();
  const items = errors.slice(1).map(({ pointer, detail }) => {
    const where = steps(pointer);
    const row = where[0] === "rows" ? [`Row ${Number(where[1]) + 1}`, ...where.slice(2)] : where;
    return element("li", {}, `${row.join(", ")}: ${detail}.`);
  });
  find("many-error").replaceChildren(
    element("p", {}, `${name}: ${text}`),
    ...(items.length ? [element("ul", {}, ...items)] : []),
  );
}

function showScored(name, body, [header, ...rows]) {
  const few = rows.length > SHOWN_ROWS ? `; the first ${SHOWN_ROWS} are shown` : "";
  const count = rows.length === 1 ? "1 row is" : `${NUMBER.format(rows.length)} rows are`;
  find("many-text").textContent = `${count} answered${few}.`;
  const link = element(
    "a",
    { href: URL.createObjectURL(body), download: `scored-${name}`, class: "button" },
    `Download scored-${name}`,
  );
  const heads = answerFirst(["row", ...header]).map((text) => element("th", { scope: "col" }, text));
  const lines = rows.slice(0, SHOWN_ROWS).map((row, i) => {
    const [number, label, ...cells] = answerFirst([String(i + 1), ...row]);
    for (let place = 0; place < probabilityColumns(); place += 1) {
      cells[place] = rounded(Number(cells[place].replace(",", ".")));
    }
    cells.unshift(label);
    const first = element("th", { scope: "row" }, number);
    return element("tr", {}, first, ...cells.map((text) => element("td", {}, text)));
  });
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...lines),
  );
  // In a box of its own, which scrolls: with the keyboard as well, hence the tab stop.
  const box = { class: "table", tabindex: 0, role: "region", "aria-label": "Answered rows" };
  find("many-answer").replaceChildren(element("p", {}, link), element("div", box, table));
}

const probabilityColumns = () => (isOfTwo(description) ? 1 : description.labels.length);

// The answer's columns stand last, out of sight in a wide table: label and probabilities come
// forward, right after the row's number.
function answerFirst(row) {
  const answers = row.length - probabilityColumns() - 2;
  return [row[0], ...row.slice(answers, -1), ...row.slice(1, answers), ...row.slice(-1)];
}

// The table comes back as it is written; its header ends with the answer's columns.
function separatorOf(text) {
  const last = /label(.)"?(?:predicted_)?probability.*\1(?:predicted_)?warnings\r?$/m;
  const header = last.exec(text);
  return header ? header[1] : ",";
}

// RFC 4180: cells with separators, quotes or line breaks stand in quotes.
function parseCsv(text, separator) {
  const rows = [];
  let row = [];
  const one = separator.replace(/[\\\]^-]/, "\\$&");
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${one}\r\n]*))([${one}]|\r?\n|$)`, "g");
  for (const [whole, quoted, plain, end] of text.matchAll(cell)) {
    if (whole === "" && row.length === 0) break;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== separator) {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}

function takeFiles() {
  const input = find("file");
  const section = find("many");
  // So that the same file, once corrected, can be chosen again.
  input.addEventListener("click", () => (input.value = ""));
  input.addEventListener("change", () => input.files.length && scoreFile(input.files[0]));
  for (const kind of ["dragover", "drop"]) {
    // A file let go beside the box would replace the page.
    window.addEventListener(kind, (event) => event.preventDefault());
  }
  section.addEventListener("dragover", () => section.classList.add("over"));
  section.addEventListener("dragleave", () => section.classList.remove("over"));
  section.addEventListener("drop", (event) => {
    section.classList.remove("over");
    if (event.dataTransfer.files.length) scoreFile(event.dataTransfer.files[0]);
  });
}

find("form").addEventListener("submit", predict);
find("sample").addEventListener("click", fillIn);
takeFiles();
const load = start("contract", show);
load();
