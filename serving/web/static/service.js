// What both pages share: asking the service, with a key where it wants one.
// The key stays in this tab: sessionStorage is neither sent by itself nor seen by another tab.

const STORED = "api-key";

export const find = (id) => document.getElementById(id);
export const key = () => sessionStorage.getItem(STORED);

// Asks and reads the whole answer; the status is 0 where none came.
export async function ask(address, options = {}) {
  const headers = new Headers(options.headers);
  if (key() !== null) headers.set("Authorization", `Bearer ${key()}`);
  try {
    const response = await fetch(address, { ...options, headers, cache: "no-store" });
    return { ok: response.ok, status: response.status, body: await response.blob() };
  } catch {
    return { ok: false, status: 0, body: new Blob() };
  }
}

export const askRow = (address, row) =>
  ask(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(row),
  });

export const json = async (answer) => JSON.parse(await answer.body.text());

// What went wrong, as the service says it: {status, text, errors}.
export async function problemOf(answer) {
  const { status } = answer;
  if (status === 0) return { status, text: "The service cannot be reached.", errors: [] };
  let problem = {};
  try {
    problem = await json(answer);
  } catch {
    // Not the service's answer, but that of a proxy before it.
  }
  const detail = problem.detail ?? `Its answer has the status ${status}.`;
  const text = status === 503 ? `The service cannot answer just now. ${detail}` : detail;
  return { status, text, errors: problem.errors ?? [] };
}

// Fetches what a page is built from and shows it; asks for a key where it takes one.
// Gives the function that does so again.
export function start(address, show) {
  const [notice, form, input, error] = ["notice", "key-form", "key", "key-error"].map(find);

  async function load() {
    notice.hidden = true;
    const answer = await ask(address);
    if (answer.ok) {
      form.hidden = true;
      find("forget").hidden = key() === null;
      await show(await json(answer));
      return;
    }
    const problem = await problemOf(answer);
    if (problem.status === 401) {
      askForKey(key() === null ? "" : problem.text);
    } else {
      find("notice-text").textContent = problem.text;
      notice.hidden = false;
    }
  }

  function askForKey(complaint) {
    sessionStorage.removeItem(STORED);
    form.hidden = false;
    input.value = "";
    complain(complaint);
    input.focus();
  }

  function complain(complaint) {
    error.textContent = complaint;
    input.setAttribute("aria-invalid", String(complaint !== ""));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = input.value.trim();
    if (/^[!-~]+$/.test(given)) {
      sessionStorage.setItem(STORED, given);
      load();
    } else {
      complain("A key is made of letters, digits and signs, without spaces.");
    }
  });
  find("again").addEventListener("click", load);
  find("forget").addEventListener("click", () => {
    sessionStorage.removeItem(STORED);
    location.reload();
  });
  return load;
}
