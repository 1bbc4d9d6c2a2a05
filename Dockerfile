# The service and the pipeline as an image: docs/operations.md, "In containers".
# Linted, and built and tried by deploy/try_image.sh.
# The base is pinned by its tag alone: its digest could not be looked up. Add it where you build.
FROM python:3.11.14-slim-bookworm AS build
COPY requirements.lock /
# Compiled, since nobody can write bytecode later. What has no wheel (antlr4-python3-runtime) pip
# builds with the setuptools of the day, which no hash covers.
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --compile -r /requirements.lock
WORKDIR /opt/serving
COPY params.yaml ./
COPY pipeline pipeline
COPY serving serving
RUN /opt/venv/bin/python -m compileall -q pipeline serving

FROM python:3.11.14-slim-bookworm
# The pipeline asks git for the commit. What Debian mends in it is wanted: no version.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --no-create-home --uid 10001 --user-group serving \
 && install -d -o serving -g serving /etc/serving /var/lib/serving /var/lib/mlflow
COPY --from=build /opt /opt
ENV PATH=/opt/venv/bin:$PATH \
    MLFLOW_DISABLE_TELEMETRY=true \
    DVC_NO_ANALYTICS=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SERVING_HOST=0.0.0.0 \
    SERVING_STORE=/var/lib/serving
USER 10001
WORKDIR /opt/serving
EXPOSE 8000
# /livez and not /readyz: without a model the service waits for one, and to start it anew helps nothing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["python", "-m", "serving"]
