"""gunicorn's configuration, from the `SERVING_*` settings."""

# ruff: noqa: N999 (the name is gunicorn's own convention)

import os
import resource
import shutil
from pathlib import Path
from typing import Any

from serving.config import ConfigError, check_exposure, read_settings, read_signing_key
from serving.log import CONFIG, logger
from serving.server.supervisor import Supervisor, attach
from serving.web import metrics_folder
from serving.web.keys import KeysError, read_keys

try:
    _settings = read_settings()
    check_exposure(_settings)
    read_signing_key()
    if _settings.api_keys_file is not None:
        read_keys(_settings.api_keys_file)
except (ConfigError, KeysError) as error:
    raise SystemExit(f"Error: {error}") from error

_SHARED_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

bind = [_settings.address]
worker_class = "serving.server.worker.Worker"
workers = _settings.workers
# Beside those for predictions: explanations, pages and the like (middleware.OTHER_PLACES), probes,
# refusals.
threads = _settings.concurrency + 28
graceful_timeout = _settings.grace
timeout = 30  # seconds without a worker's heartbeat; no limit to a request
keepalive = 5
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
# No proxy steers this service: a header SCRIPT_NAME would rewrite the path that permissions know.
forwarded_allow_ips = ""
forwarder_headers = ""
# The heartbeat is a file: on a slow disk it would look like a dead worker.
worker_tmp_dir = _SHARED_MEMORY
control_socket_disable = True
# Workers are the parallelism here; threads of the numeric libraries would only contend.
raw_env = ["OMP_NUM_THREADS=1"]
logger_class = "serving.server.worker.ErrorLog"
logconfig_dict = CONFIG
proc_name = "serving"

_supervisor = Supervisor()

# A worker may have a thousand connections, and 1,024 open files is the usual soft limit.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


def on_starting(server: Any) -> None:
    """Make the folder in which the workers share their metrics."""
    path = metrics_folder.new_path()
    metrics_folder.remove_dead(path.parent)
    # Read by prometheus_client when it is imported, which is in the workers.
    os.environ[metrics_folder.VARIABLE] = str(path)
    try:
        metrics_folder.make(path)
    except OSError as error:  # the workers try again
        logger.error("no folder for metrics in %s: %s", path.parent, error.strerror)


def when_ready(server: Any) -> None:
    attach(server, _supervisor)


def child_exit(server: Any, worker: Any) -> None:
    # Whatever fails here would end the master.
    try:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    except Exception:
        logger.exception("the figures of a dead worker cannot be removed")


def on_exit(server: Any) -> None:
    _supervisor.stop()
    shutil.rmtree(os.environ[metrics_folder.VARIABLE], ignore_errors=True)
