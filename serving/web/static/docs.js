// Swagger UI on this service's own description.

import { find, key, start } from "./service.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

function show(spec) {
  find("swagger").replaceChildren();
  // Where this page is from, which behind a proxy may be below a path of its own.
  const url = new URL(".", location.href).href.replace(/\/$/, "");
  const ui = window.SwaggerUIBundle({
    spec: { ...spec, servers: [{ url }] },
    domNode: find("swagger"),
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    onComplete: () => key() !== null && ui.preauthorizeApiKey("bearer", key()),
  });
}

start("openapi.json", show)();
