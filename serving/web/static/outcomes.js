// The classes of a model, as /contract describes it, in words.

export const POSITIVE = 1; // the place of the positive class among a model's two

export const isOfTwo = ({ labels }) => labels.length === 2;

export const outcome = (description, place) =>
  `${description.contract.target} is ${nameOf(description, place)}`;

export function nameOf({ contract }, place) {
  const { classes, class_names: names } = contract;
  return names ? `${classes[place]} (${names[place]})` : String(classes[place]);
}

export const placeOf = ({ labels }, { label }) => labels.indexOf(label);

// The probability that an answer gives a class; of two classes the positive one.
export const probabilityOf = ({ contract }, { probability, probabilities }, place) =>
  probabilities ? probabilities[contract.classes[place]] : probability;
