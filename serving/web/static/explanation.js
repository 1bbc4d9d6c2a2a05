// Why a row got its answer: what each value adds to it or takes from it, as /explain says.

import { element } from "./elements.js";
import { isMissing, makeSelect, substitute, valueText } from "./features.js";
import { rounded, signed } from "./numbers.js";
import { isOfTwo, nameOf, outcome, placeOf, POSITIVE } from "./outcomes.js";
import { askRow, find, json, problemOf } from "./service.js";

const SHOWN = 10; // bars; where there are more features, the last bar is of all the others
const WORTH_ANOTHER_TRY = [0, 503];

let asked = 0; // counts up when what is asked for no longer fits what is shown

export function forgetExplanation() {
  asked += 1;
  find("why").hidden = true;
}

// Explains a row's answer, {row, prediction, model}; `askForKey` where that is no longer valid.
export function explain(description, answered, askForKey) {
  const two = isOfTwo(description);
  const predicted = two ? POSITIVE : placeOf(description, answered.prediction);
  find("why-class").hidden = two;
  if (!two) offerClasses(description, predicted, show);
  find("why").hidden = false;
  show(predicted);

  async function show(place) {
    const mine = ++asked;
    clear("The explanation is being worked out …");
    const answer = await askRow(`explain${queryOf(description, place)}`, answered.row);
    const found = answer.ok ? await json(answer) : await problemOf(answer);
    if (mine !== asked) return;
    if (answer.ok && found.model.version === answered.model.version) {
      showBars(description, answered.row, found, place);
    } else if (answer.ok) {
      showProblem("Another version of the model answers by now: predict again.");
    } else {
      if (found.status === 401) askForKey();
      showProblem(found.text);
      find("why-again").hidden = !WORTH_ANOTHER_TRY.includes(found.status);
      find("why-again").onclick = () => show(place);
    }
  }
}

function offerClasses(description, predicted, choose) {
  const names = description.contract.classes.map((_, place) => [nameOf(description, place), place]);
  const select = makeSelect(names);
  select.id = "explained";
  select.value = String(predicted);
  select.addEventListener("change", () => choose(Number(select.value)));
  find("why-class").replaceChildren(element("label", { for: "explained" }, "Class to explain"), select);
}

function queryOf(description, place) {
  if (isOfTwo(description)) return "";
  return `?class=${encodeURIComponent(description.contract.classes[place])}`;
}

function clear(text) {
  find("why-text").textContent = text;
  find("why-error").textContent = "";
  find("why-again").hidden = true;
  find("why-bars").replaceChildren();
}

function showProblem(text) {
  clear("");
  find("why-error").textContent = text;
}

function showBars(description, row, { explanations: [explanation], background }, place) {
  const { base, log_odds: sum, contributions } = explanation;
  const about = isOfTwo(description) ? aboutTwo : aboutMore;
  const { start, direction, note } = about(description, place, base, sum, background);
  clear(start);
  const items = barsOf(description.contract.features, row, contributions);
  const largest = Math.max(...items.map((item) => Math.abs(item.value)));
  find("why-bars").replaceChildren(
    element("p", { class: "hint" }, direction),
    element("ul", { class: "bars" }, ...items.map((item) => makeBar(item, largest))),
    element("p", { class: "hint" }, note),
  );
}

function aboutTwo(description, place, base, sum, background) {
  const [from, to] = [base, sum].map((logit) => rounded(1 / (1 + Math.exp(-logit))));
  const [first, last] = [base, sum].map(signed);
  const that = outcome(description, place);
  return {
    start: `From ${from}, the average of ${background} training rows, these values take the probability that ${that} to ${to}.`,
    direction: "Bars to the right raise it, bars to the left lower it. The longer, the more.",
    note: `The numbers are log-odds: from ${first} on average they add up to ${last} for this row.`,
  };
}

function aboutMore(description, place, base, sum, background) {
  const name = nameOf(description, place);
  const [first, last] = [base, sum].map(signed);
  return {
    start: `What speaks for ${name} and what against it, compared with the average of ${background} training rows.`,
    direction: `Bars to the right raise the log-odds of ${name} against all other classes, bars to the left lower them. The longer, the more.`,
    note: `From ${first} on average they add up to ${last} for this row. The probabilities of all classes are then divided by their sum.`,
  };
}

// The largest contributions, and of many features the sum of the others.
function barsOf(features, row, contributions) {
  const whole = contributions.length <= SHOWN;
  const shown = whole ? contributions : contributions.slice(0, SHOWN - 1);
  const items = shown.map(({ feature: name, log_odds: value }) => {
    const feature = features.find((each) => each.name === name);
    return { name, given: givenText(feature, row[name]), value };
  });
  if (whole) return items;
  const others = contributions.slice(SHOWN - 1);
  const value = others.reduce((sum, each) => sum + each.log_odds, 0);
  return [...items, { name: `${others.length} others`, given: "together", value }];
}

// The value that was sent, and not the answer's: rare categories are one to the model.
function givenText(feature, value) {
  const text = valueText(feature, value);
  return isMissing(feature, value) ? `${text} (the ${substitute(feature)} is taken)` : text;
}

// What a value does, in words, and as a bar from the middle, which says nothing more.
function makeBar({ name, given, value }, largest) {
  const kind = value > 0 ? "raises" : value < 0 ? "lowers" : "nothing";
  const width = largest > 0 ? (50 * Math.abs(value)) / largest : 0;
  const x = value < 0 ? 50 - width : 50;
  return element(
    "li",
    { class: kind },
    element("span", { class: "name" }, element("strong", {}, name), ` ${given} `),
    element("span", { class: "value" }, effectText(kind, value)),
    element(
      "svg",
      { class: "bar", "aria-hidden": "true" },
      element("rect", { class: "track", width: "100%", height: 12, rx: 2 }),
      element("rect", { class: "fill", x: `${x}%`, width: `${width}%`, height: 12 }),
      element("line", { class: "middle", x1: "50%", x2: "50%", y1: 0, y2: 12 }),
    ),
  );
}

function effectText(kind, value) {
  if (kind === "nothing") return "changes nothing";
  const size = Math.abs(value).toFixed(2);
  return `${kind} by ${Number(size) === 0 ? "< 0.01" : size}`;
}
