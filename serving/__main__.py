"""The service's command line: `python -m serving`."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from serving.commands.row_arguments import ArgumentsError
from serving.config import ConfigError
from serving.console import replace_unprintable
from serving.errors import ServingError
from serving.web.keys import KeysError

COMMANDS = ("serve", "predict", "score", "keys", "config")
EXAMPLES = """\b
Examples:
  python -m serving                        serve, and follow the registry meanwhile
  SERVING_PORT=9000 python -m serving      on another port
  python -m serving predict 6 148 72 35 0 33.6 0.627 50
  python -m serving predict --explain 6 148 72 35 0 33.6 0.627 50
  python -m serving score new.parquet --out scored.parquet
  python -m serving keys add frontend --role predict
  python -m serving config                 the settings in force
"""


class Commands(click.Group):
    """The commands, each imported only when it is used: to score files takes much to import."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"serving.commands.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, invoke_without_command=True, epilog=EXAMPLES)
@click.pass_context
def cli(context: click.Context) -> None:
    """Answer with the model that the registry's stage names; `serve` is the default."""
    if context.invoked_subcommand is None:
        from serving.commands.serve import serve

        context.invoke(serve)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 for done, 1 for a mistake in what was given, 2 for its usage."""
    try:
        code = cli.main(argv, prog_name="python -m serving", standalone_mode=False)
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (ConfigError, KeysError, ArgumentsError, ServingError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return int(code or 0)


if __name__ == "__main__":
    replace_unprintable()
    sys.exit(main())
