#!/usr/bin/env bash
# Asks the service for one prediction: ./predict.sh [--explain] [URL [ROW]], the row as JSON.
# With --explain it says as well how much each value raises or lowers the log-odds of the class.
# SERVING_API_KEY in the environment is the key, where the service wants one.
# Needs curl 7.66, the first to obey Retry-After, and jq, since sed and grep cannot read JSON.
set -euo pipefail

path=predict
if [ "${1:-}" = --explain ]; then
  path=explain
  shift
fi
url=${1:-http://127.0.0.1:8000}
row=${2:-'{
  "Pregnancies": 6, "Glucose": 148, "BloodPressure": 72, "SkinThickness": 35, "Insulin": null,
  "BMI": 33.6, "DiabetesPedigreeFunction": 0.627, "Age": 50}'} # null: not known

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

key_header() {
  [ -z "${SERVING_API_KEY:-}" ] || echo "Authorization: Bearer $SERVING_API_KEY"
}

# Row and key go in through files: anybody on this machine can read a command's arguments (ps).
# --retry takes a 503 for what it is, and waits as long as its header Retry-After says.
# curl itself says in a sentence why nobody answered.
status=$(
  curl --silent --show-error --max-time 30 --retry 4 --retry-max-time 120 \
    --output "$answer" --write-out '%{http_code}' \
    --header 'Content-Type: application/json' --header @<(key_header) \
    --data-binary @- "$url/$path" <<<"$row"
) || exit 1

if [ "$status" != 200 ]; then
  # A proxy before the service may answer with something else than its JSON.
  problem='.detail // empty, (.errors[]? | "  \(.pointer): \(.detail)")'
  jq --raw-output --exit-status "$problem" "$answer" >&2 2>/dev/null ||
    echo "The answer has the status $status." >&2
  exit 1
fi
jq --raw-output '
  (.predictions[0]
    | "label \(.label), probability \(.probability // .probabilities)", "warning: \(.warnings[])"),
  (.explanations[0] // empty
    | "log-odds of \(.class): \(.log_odds), on average \(.base)",
      (.contributions[] | "\(.log_odds) from \(.feature) \(.value | tojson)"))' "$answer"
