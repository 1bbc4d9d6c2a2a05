"""Settings: defaults, environment variables, and what is refused."""

from pathlib import Path

import pytest

from serving.config import ConfigError, Settings, read_settings

MODEL = {"SERVING_MODEL": "heart"}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults_are_those_that_are_documented():
    assert read_settings(MODEL) == Settings(
        model="heart",
        stage="production",
        store=Path("model_store"),
        host="127.0.0.1",
        port=8000,
        workers=2,
        threads=4,
        max_rows=10_000,
        max_body=16_777_216,
    )


def test_every_setting_comes_from_its_variable():
    wanted = Settings(
        model="a",
        stage="staging",
        store=Path("/s"),
        host="::1",
        port=9,
        workers=3,
        threads=5,
        max_rows=7,
        max_body=8,
    )
    assert read_settings(wanted.to_variables()) == wanted
    assert set(wanted.to_variables()) == {
        f"SERVING_{field.upper()}" for field in Settings.__struct_fields__
    }


def test_variables_of_others_are_left_alone():
    assert read_settings({**MODEL, "PATH": "/bin", "MY_SERVING_PORT": "1"}).port == 8000


def test_an_ipv6_address_is_bracketed():
    assert read_settings({**MODEL, "SERVING_HOST": "::1"}).address == "[::1]:8000"
    assert read_settings(MODEL).address == "127.0.0.1:8000"


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("SERVING_MODEL", "from-the-process")
    assert read_settings().model == "from-the-process"


def test_an_unknown_variable_is_named_with_the_likely_one():
    with pytest.raises(ConfigError, match=r"^SERVING_PROT: no such setting; .*SERVING_PORT\?$"):
        read_settings({**MODEL, "SERVING_PROT": "9000"})


def test_an_unlikely_variable_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="SERVING_X: no such setting; known are SERVING_MODEL, "):
        read_settings({**MODEL, "SERVING_X": "1"})


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("SERVING_PORT", "http", "expected `int`"),
        ("SERVING_PORT", "", "expected `int`"),
        ("SERVING_PORT", "0", "expected `int` >= 1"),
        ("SERVING_PORT", "65536", "expected `int` <= 65535"),
        ("SERVING_WORKERS", "0", "expected `int` >= 1"),
        ("SERVING_THREADS", "1.5", "expected `int`"),
        ("SERVING_MAX_ROWS", "-1", "expected `int` >= 1"),
        ("SERVING_STAGE", "", "expected `str` of length >= 1"),
        ("SERVING_STORE", "", "expected a path"),
        ("SERVING_MODEL", "", "expected `str` of length >= 1"),
    ],
)
def test_a_bad_value_is_named_with_what_is_expected(variable, value, expected):
    with pytest.raises(ConfigError) as raised:
        read_settings({**MODEL, variable: value})
    assert str(raised.value) == f"{variable} is `{value}`: {expected}"


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        read_settings(MODEL).port = 1  # type: ignore[misc]


def test_a_checkout_names_its_model(tmp_path):
    (tmp_path / "params.yaml").write_text("seed: 1\nname: from-params\n")
    assert read_settings({}).model == "from-params"
    assert read_settings(MODEL).model == "heart"


def test_without_a_model_the_variable_is_named():
    with pytest.raises(ConfigError, match="SERVING_MODEL is not set"):
        read_settings({})


@pytest.mark.parametrize("text", ["seed: 1\n", "name: 3\n", "a: [\n", "", "\x81"])
def test_a_params_file_that_names_no_model_is_told(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"params\.yaml gives no `name`"):
        read_settings({})
