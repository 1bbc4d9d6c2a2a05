"""gunicorn's configuration, from the `SERVING_*` settings."""

# ruff: noqa: N999 (the name is gunicorn's own convention)

from pathlib import Path

from serving.config import read_settings

_settings = read_settings()

bind = [_settings.address]
worker_class = "gthread"
workers = _settings.workers
threads = _settings.threads
# Seconds for the requests under way, after SIGTERM. gthread waits all of it for a client that
# merely keeps its connection open, so it is a few answers' worth and not the usual 30.
graceful_timeout = 5
timeout = 30  # seconds without a worker's heartbeat; no limit to a request
keepalive = 5
# The heartbeat is a file: on a slow disk it would look like a dead worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
# Workers are the parallelism here; threads of the numeric libraries would only contend.
raw_env = ["OMP_NUM_THREADS=1"]
accesslog = None
loglevel = "warning"
proc_name = "serving"
