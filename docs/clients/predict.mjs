// Asks the service for one prediction: node predict.mjs [--explain] [URL [ROW]], the row as JSON.
// With --explain it says as well how much each value raises or lowers the log-odds of the class.
// SERVING_API_KEY in the environment is the key, where the service wants one. Needs Node 18.

const TRIES = 5;
const ROW = {
  Pregnancies: 6,
  Glucose: 148,
  BloodPressure: 72,
  SkinThickness: 35,
  Insulin: null, // not known; `undefined` would leave the field out, which is an error
  BMI: 33.6,
  DiabetesPedigreeFunction: 0.627,
  Age: 50,
};

// Sends a row to /predict or /explain; of one row there is one prediction, and one explanation.
async function ask(url, path, row) {
  const headers = { "Content-Type": "application/json" };
  const key = process.env.SERVING_API_KEY;
  if (key) headers.Authorization = `Bearer ${key}`;
  for (let triesLeft = TRIES - 1; ; triesLeft--) {
    // Without a timeout, a service that hangs would hang its clients too.
    const signal = AbortSignal.timeout(30_000);
    const options = { method: "POST", headers, body: JSON.stringify(row), signal };
    const response = await fetch(`${url}/${path}`, options).catch((error) => {
      // Of a refused connection the error itself says only `fetch failed`.
      throw new Error(`${url} cannot be reached: ${error.cause?.code ?? error.message}`);
    });
    // fetch takes an error's status for an answer like any other.
    if (response.ok) return await response.json();
    if (response.status !== 503 || triesLeft === 0) throw new Error(await problem(response));
    const seconds = Number(response.headers.get("Retry-After")) || 5;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

async function problem(response) {
  // What is no JSON is not the service's answer, but that of a proxy before it.
  const told = await response.json().catch(() => ({}));
  const { detail = `The answer has the status ${response.status}.`, errors = [] } = told;
  return [detail, ...errors.map((field) => `  ${field.pointer}: ${field.detail}`)].join("\n");
}

const words = process.argv.slice(2);
const path = words[0] === "--explain" ? words.shift().slice(2) : "predict";
const [url = "http://127.0.0.1:8000", row] = words;
try {
  const { predictions, explanations = [] } = await ask(url, path, row ? JSON.parse(row) : ROW);
  // Of more than two classes each has a probability.
  const { label, probability, probabilities, warnings } = predictions[0];
  console.log(`label ${label}, probability ${JSON.stringify(probability ?? probabilities)}`);
  for (const warning of warnings) console.log(`warning: ${warning}`);
  for (const found of explanations) {
    console.log(`log-odds of ${found.class}: ${found.log_odds}, on average ${found.base}`);
    for (const { log_odds, feature, value } of found.contributions)
      console.log(`${log_odds} from ${feature} ${JSON.stringify(value)}`);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
