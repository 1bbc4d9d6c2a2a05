// Numbers for people.

const MOST_DIGITS = 6; // of a probability that lies next to the threshold

// A probability and the threshold, or the next probability, rounded so far that neither looks like the other.
export function written(probability, threshold) {
  for (let digits = 3; digits <= MOST_DIGITS; digits += 1) {
    const [p, t] = [rounded(probability, digits), rounded(threshold, digits)];
    if (p !== t || probability === threshold) return [p, t];
  }
  const t = rounded(threshold, MOST_DIGITS);
  return [`${probability < threshold ? "<" : ">"} ${t}`, t];
}

// A number between 0 and 1 that is rounded to neither, which would look like certainty.
export function rounded(value, digits = 3) {
  const least = 10 ** -digits;
  if (value > 0 && value < least / 2) return `< ${least.toFixed(digits)}`;
  if (value < 1 && value > 1 - least / 2) return `> ${(1 - least).toFixed(digits)}`;
  return value.toFixed(digits);
}

// Log-odds with a sign that is no hyphen.
export function signed(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) > 0 ? `\u2212${text}` : text;
}
