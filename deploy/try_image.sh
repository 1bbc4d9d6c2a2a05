#!/usr/bin/env bash
# Build the Dockerfile and try the image as compose.yaml uses it: PostgreSQL, an MLflow server and the
# service, each in a container; `dvc repro` promotes a model, the service answers with it, and drains.
#
#   sudo deploy/try_image.sh                      takes some ten minutes, and 10 GB in a folder of its own
#   sudo TRY_IMAGE_BASE=pull deploy/try_image.sh  on the Dockerfile's own base image
#   sudo TRY_IMAGE_MOUNTS="/etc/pip.conf /opt/wheels" deploy/try_image.sh
#   sudo TRY_IMAGE_STORAGE=/var/tmp/images deploy/try_image.sh     keeps the images for the next time
#
# It needs Debian's buildah, debootstrap and curl, but no engine's daemon, and leaves nothing behind. Without
# `pull`, the base is a Debian bookworm of debootstrap's with Debian's Python, under the name of the
# Dockerfile's. TRY_IMAGE_MOUNTS are files and folders of this machine that installing needs, such as the
# configuration of a package index. Containers share this machine's network: ports are free ones.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
jobs_started=()
export BUILDAH_ISOLATION=chroot
images=${TRY_IMAGE_STORAGE:-$work/images}
# The driver that works everywhere: overlay needs a kernel that lets it.
buildah() {
  command buildah --storage-driver "${STORAGE_DRIVER:-vfs}" --root "$images" --runroot "$work/running" "$@"
}
say() { printf '%s %s\n' "$(date +%T)" "$*"; }
fail() { say "FAILED: $*"; tail -n 20 "$work"/*.log; exit 1; }

end() {
  for job in "${jobs_started[@]}"; do kill -KILL -- "-$job" 2>/dev/null || true; done
  buildah rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap end EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start NAME CONTAINER [OPTION ...] -- COMMAND: run a command of a container in a process group of its own
start() {
  local name=$1; shift
  set -m
  buildah run "$@" >"$work/$name.log" 2>&1 &
  set +m
  jobs_started+=($!)
}

# await NAME COMMAND: until the command succeeds, at most three minutes
await() {
  local name=$1; shift
  for _ in $(seq 900); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  fail "$name does not answer"
}

answers() { curl --silent --fail --max-time 2 "$1"; }

base=$(awk '/^FROM/ {print $2; exit}' Dockerfile)
image=$(awk '/image: csv-to-production/ {print $2; exit}' compose.yaml)
mounts=()
for path in ${TRY_IMAGE_MOUNTS:-}; do mounts+=(--volume "$path:$path:ro"); done

if [ "${TRY_IMAGE_BASE:-}" != pull ] && ! buildah images "$base" >/dev/null 2>&1; then
  say "making a base image of Debian bookworm as $base"
  debootstrap --variant=minbase --include=python3,python3-venv,python-is-python3,ca-certificates \
    bookworm "$work/base" >"$work/debootstrap.log"
  made=$(buildah from scratch)
  tar -C "$work/base" -c . | tar -C "$(buildah mount "$made")" -x
  buildah umount "$made" >/dev/null
  buildah commit --quiet --rm "$made" "docker.io/library/$base" >/dev/null
  rm -rf "$work/base"
fi

say "building the Dockerfile"
# The format of docker: the other one has no health checks.
buildah bud --format docker --pull=missing "${mounts[@]}" --tag "$image" . >"$work/build.log" 2>&1 ||
  fail "the image cannot be built"
size=$(buildah images --format '{{.Size}}' "$image")
say "built: $size"

password=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
database_port=$(free_port); mlflow_port=$(free_port); port=$(free_port)
mkdir -m 777 "$work/store" "$work/artifacts" "$work/keys" "$work/project"

say "starting PostgreSQL"
postgres=$(buildah from --pull=missing "docker.io/library/$base")
buildah run "$postgres" -- sh -ec 'apt-get -qq update && apt-get -qq install --yes postgresql' \
  >"$work/postgres-install.log" 2>&1 || fail "PostgreSQL cannot be installed"
start postgres --user postgres --env PGPASSWORD="$password" "$postgres" -- sh -ec "
  bin=\$(echo /usr/lib/postgresql/*/bin); cd /tmp; printf %s \"\$PGPASSWORD\" > password
  \$bin/initdb --username mlflow --pwfile password --auth scram-sha-256 --encoding UTF8 /tmp/data
  exec \$bin/postgres -D /tmp/data -p $database_port -c unix_socket_directories=/tmp"
await PostgreSQL buildah run --user postgres --env PGPASSWORD="$password" "$postgres" -- \
  createdb --host 127.0.0.1 --port "$database_port" --username mlflow mlflow

say "starting the MLflow server"
mlflow=$(buildah from --pull-never "$image")
start mlflow --volume "$work/artifacts:/var/lib/mlflow" \
  --env MLFLOW_HOST=127.0.0.1 --env MLFLOW_PORT="$mlflow_port" --env MLFLOW_SERVE_ARTIFACTS=true \
  --env MLFLOW_ARTIFACTS_DESTINATION=/var/lib/mlflow \
  --env MLFLOW_BACKEND_STORE_URI="postgresql://mlflow:$password@127.0.0.1:$database_port/mlflow" \
  "$mlflow" -- python -m mlflow server
await "the MLflow server" answers "http://127.0.0.1:$mlflow_port/health"

say "starting the service, without a model"
ours=(--env MLFLOW_TRACKING_URI="http://127.0.0.1:$mlflow_port" --env REGISTRY_SIGNING_KEY="$password")
serving=$(buildah from --pull-never "$image")
key=$(buildah run --volume "$work/keys:/etc/serving" --env SERVING_API_KEYS_FILE=/etc/serving/keys \
  "$serving" -- python -m serving keys add frontend --role predict 2>/dev/null | tail -n 1)
[ -n "$key" ] || fail "no key was made"
began=$(date +%s%N)
start service "${ours[@]}" --volume "$work/store:/var/lib/serving" --volume "$work/keys:/etc/serving" \
  --env SERVING_API_KEYS_FILE=/etc/serving/keys --env SERVING_PORT="$port" --env SERVING_SYNC_INTERVAL=1 \
  "$serving" -- python -m serving
await "the service" answers "http://127.0.0.1:$port/livez"
say "it is alive after $((($(date +%s%N) - began) / 1000000)) ms"
! answers "http://127.0.0.1:$port/readyz" >/dev/null || fail "it is ready without a model"

say "running the pipeline"
git archive HEAD | tar -x -C "$work/project"
chmod -R a+rwX "$work/project"
pipeline=$(buildah from --pull-never "$image")
buildah run "${ours[@]}" --env HOME=/tmp --volume "$work/project:/project" --workingdir /project "$pipeline" -- \
  sh -ec 'python -m pipeline.lineage.dvc_scm && dvc repro' >"$work/pipeline.log" 2>&1 || fail "dvc repro"
await "the service" answers "http://127.0.0.1:$port/readyz"

say "asking it"
ask() {
  curl --silent --max-time 5 "http://127.0.0.1:$port/predict" --header "Authorization: Bearer $key" --json \
    '{"Pregnancies": 6, "Glucose": 148, "BloodPressure": 72, "SkinThickness": 35, "Insulin": null,
      "BMI": 33.6, "DiabetesPedigreeFunction": 0.627, "Age": 50}' "$@"
}
ask | grep --quiet '"probability":' || fail "no answer: $(ask)"
say "answered: $(ask)"
refused=$(curl --silent --output /dev/null --write-out '%{http_code}' --json '{}' "http://127.0.0.1:$port/predict")
[ "$refused" = 401 ] || fail "without a key it answers $refused"

say "stopping it while it is asked"
for _ in $(seq 200); do ask --output /dev/null --write-out '%{http_code}\n' || true; done >"$work/codes" &
asking=$!
sleep 0.5
service_process=${jobs_started[-1]}
kill -TERM "$(pgrep --oldest --pgroup "$service_process" --exact 'python[0-9.]*')" # its master
code=0; wait "$service_process" || code=$?
kill "$asking" 2>/dev/null || true; wait "$asking" 2>/dev/null || true
broken=$(grep -cvE '^(200|503|000)$' "$work/codes" || true)
[ "$code" = 0 ] || fail "the service ended with $code"
[ "$broken" = 0 ] || fail "$broken answers were neither 200 nor a refusal: $(sort "$work/codes" | uniq -c)"
say "it drained: $(sort "$work/codes" | uniq -c | tr -s ' \n' ' ')(000 is a connection that was refused)"
say "all is well; the image has $size"
