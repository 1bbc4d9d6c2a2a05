"""Whatever ends a run, the output is there whole or as it was; and memory does not grow."""

import resource
import signal
import subprocess
import sys

import pytest
from pyarrow import parquet

from tests.running import eventually, hear_ctrl_c
from tests.serving.batch.files import HEADER, left_behind, write_large

ROWS = 1_500_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return write_large(tmp_path_factory.mktemp("large") / "large.parquet", ROWS)


@pytest.fixture
def start(stored, tmp_path):
    """Start `score` in a process of its own, and wait until it is in the middle of its work."""

    def started(*words, **options):
        command = [sys.executable, "-m", "serving", "score", "--offline", *map(str, words)]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c, **options
        )
        eventually(lambda: any(path.stat().st_size for path in tmp_path.glob(".*.part")))
        return process

    return started


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_everything_as_it_was(start, large, tmp_path, out, end):
    (tmp_path / out).write_text("of the last time")
    (tmp_path / "bad.csv").write_text("of the last time")
    process = start(large, "--out", out, "--rejects", "bad.csv")
    process.send_signal(end)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert told.strip() == "Stopped."
    assert (tmp_path / out).read_text() == "of the last time"
    assert (tmp_path / "bad.csv").read_text() == "of the last time"
    assert left_behind(tmp_path) == []


def test_after_a_kill_the_output_is_as_it_was_and_the_next_run_cleans_up(
    start, score, large, tmp_path
):
    (tmp_path / "out.parquet").write_text("of the last time")
    process = start(large, "--out", "out.parquet")
    process.kill()
    process.communicate()
    assert (tmp_path / "out.parquet").read_text() == "of the last time"
    assert len(left_behind(tmp_path)) == 1
    (tmp_path / "in.csv").write_text(HEADER + "148,50,1\n")
    assert score("in.csv", "--out", "out.parquet") == 0
    assert parquet.read_table("out.parquet").num_rows == 1
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("most", [0, 1_000_000])
def test_a_full_disk_is_one_sentence(stored, large, tmp_path, out, most):
    done = run(large, out, most)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"Error: {out} cannot be written: File too large."]
    assert list(tmp_path.glob("*out*")) == []


def test_a_disk_that_is_full_of_rejects_leaves_the_output_as_it_was(stored, tmp_path):
    (tmp_path / "in.csv").write_text(HEADER + "148,50,1\n" + "148,5,1\n" * 20_000)
    (tmp_path / "out.csv").write_text("of the last time")
    done = run("in.csv", "out.csv", 100_000, "--rejects", "bad.csv")
    assert done.returncode == 1
    assert done.stderr.endswith("Error: bad.csv cannot be written: File too large.\n")
    assert (tmp_path / "out.csv").read_text() == "of the last time"
    assert list(tmp_path.glob("*bad*")) == []


def run(source, out, most, *words):
    """Score where a file may have no more than `most` bytes: the same as a disk without room."""
    command = ["-m", "serving", "score", "--offline", str(source), "--out", out, *words]
    return subprocess.run(
        [sys.executable, *command],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


# Not by getrusage, which counts what the parent had before it.
PEAK = """
import sys
from pathlib import Path
from serving.__main__ import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
sys.exit(code)
"""


def peak_mb(source, out):
    words = ["score", "--offline", str(source), "--out", out, "--jobs", "2"]
    command = [sys.executable, "-c", PEAK, *words]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_memory_does_not_grow_with_the_file(stored, tmp_path, suffix):
    small = write_large(tmp_path / f"small{suffix}", 500_000)
    large = write_large(tmp_path / f"large{suffix}", 2_000_000)
    growth = peak_mb(large, f"out{suffix}") - peak_mb(small, f"out{suffix}")
    # Held whole, a million and a half more rows are over 100 MB to read alone.
    assert growth < 60, f"{growth} MB more for four times the rows"
