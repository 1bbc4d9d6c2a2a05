// A feature of the contract: its choices in a form, and its values for the service and for people.

import { element } from "./elements.js";

export const isChoice = ({ type }) => type === "boolean" || type === "category";

// Pairs of a text and a field's value.
export function choicesOf(feature) {
  if (feature.type === "boolean") return [["yes", "true"], ["no", "false"]];
  return [...feature.categories, ...(feature.grouped ?? [])].map((text) => [text, text]);
}

export function makeSelect(choices) {
  const options = choices.map(([text, value]) => element("option", { value }, text));
  return element("select", {}, ...options);
}

// A field's value as a request has it.
export function readValue({ type }, text) {
  if (text === "") return null;
  if (type === "category" || type === "date") return text;
  return type === "boolean" ? text === "true" : Number(text);
}

export const isMissing = ({ missing_values: missing }, value) =>
  value === null || missing.includes(value);

export function valueText(feature, value) {
  if (isMissing(feature, value)) return "not given";
  if (feature.type === "boolean") return value ? "yes" : "no";
  return feature.unit ? `${value} ${feature.unit}` : String(value);
}

// What the model puts in the place of a missing value.
export const substitute = ({ type }) => (type === "category" ? "most frequent" : "median");
