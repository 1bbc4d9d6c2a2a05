"""The command line of the pipeline: its stages, as `dvc.yaml` runs them, and what people ask."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import click

from pipeline.errors import PipelineError, StoreUnreachableError
from pipeline.tracking.address import tracking_uri
from serving.console import replace_unprintable

STAGES = ("preprocess", "grid_search", "evaluate", "register")
RUN_COMMANDS = ("init", "run", "train", "plan")
REGISTRY_COMMANDS = (
    "status",
    "runs",
    "compare",
    "card",
    "promote",
    "rollback",
    "history",
    "doctor",
)
GROUPS = {
    "Run": RUN_COMMANDS,
    "Registry": REGISTRY_COMMANDS,
    "Stages, run by `dvc repro` with the paths of dvc.yaml": STAGES,
}
COMMANDS = {
    **{name: f"pipeline.commands.{name}" for name in (*RUN_COMMANDS, *REGISTRY_COMMANDS)},
    **{name: f"pipeline.stages.{name}" for name in STAGES},
}
SUMMARY_LENGTH = 60  # characters of a command in the list
# Kept from reporting home and from waiting for minutes; the user's own settings come first.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Commands(click.Group):
    """The commands, each imported only when it is asked for: MLflow alone takes over a second."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # Half a million objects come with MLflow or scikit-learn, and stay: collecting among them
        # while they are made, at each full collection and at exit took a third of a short stage.
        gc.disable()
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        gc.freeze()
        gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in groups, each with its summary."""
        for title, names in GROUPS.items():
            found = {name: self.get_command(ctx, name) for name in names}
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name, command.get_short_help_str(SUMMARY_LENGTH))
                        for name, command in found.items()
                        if command
                    ]
                )


@click.command(cls=Commands, epilog="Example: python -m pipeline train 10")
def commands() -> None:
    """From a CSV to a promoted model."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 1 for the user's mistake or a failure, 2 for wrong usage."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    arguments = list(sys.argv[1:] if argv is None else argv)
    # To be stopped is to be interrupted, whoever asks for it.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments[:1] and arguments[0] in STAGES:
            tracking_uri()  # a wrong address is told before a search, not at its end
        code = commands.main(
            arguments,
            prog_name="python -m pipeline",
            standalone_mode=False,
            obj=datetime.now(UTC),  # when it was asked for: importing and waiting take seconds
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _failed(arguments, "interrupted", "", status="KILLED")
    except StoreUnreachableError as error:
        return _failed(arguments, str(error), "", record=False)
    except PipelineError as error:
        return _failed(arguments, str(error), "")
    except Exception as error:  # whatever it is, the user gets a sentence and the run the rest
        reason = f"{type(error).__name__}: {error}"
        return _failed(arguments, reason, traceback.format_exc())
    finally:
        signal.signal(signal.SIGTERM, before)
    return int(code or 0)


def _failed(
    arguments: list[str], reason: str, details: str, *, record: bool = True, status: str = "FAILED"
) -> int:
    """Print why, and leave a FAILED or KILLED run if a stage failed."""
    stage = arguments[0] if arguments else ""
    print(f"{stage} failed: {reason}", file=sys.stderr)
    if record and stage in STAGES:
        _record_failure(stage, status, reason, details)
    return 1


def _record_failure(stage: str, status: str, reason: str, details: str) -> None:
    from pipeline.files import project_root
    from pipeline.params import Params, flatten
    from pipeline.params_file import load
    from pipeline.tracking.messages import process_id
    from pipeline.tracking.result_runs import record_failure

    params: Params | None = None
    with suppress(PipelineError):
        params = load(Path("params.yaml"))
    try:
        record_failure(
            params.name if params else project_root().name,
            stage=stage,
            process=process_id(),
            status=status,
            reason=reason,
            details=details,
            params=flatten(params) if params else {},
        )
    except Exception as error:  # the failure itself matters more than its record
        print(f"the failed run could not be recorded: {error}", file=sys.stderr)


if __name__ == "__main__":
    replace_unprintable()
    code = main()
    gc.freeze()
    sys.exit(code)
