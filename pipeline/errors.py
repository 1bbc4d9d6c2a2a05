"""Errors that are shown to the user."""


class PipelineError(Exception):
    """The user's mistake in one clear sentence: what is wrong, where, and what to do."""


class StoreUnreachableError(PipelineError):
    """The tracking store cannot be used, so that a failure cannot be recorded there either."""


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
