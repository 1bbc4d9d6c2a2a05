"""Settings: defaults, environment variables, and what is refused."""

from pathlib import Path

import pytest

from serving.config import ConfigError, Settings, check_exposure, read_settings, registry_variables

MODEL = {"SERVING_MODEL": "heart"}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults_are_those_that_are_documented():
    assert read_settings(MODEL) == Settings(
        model="heart",
        stage="production",
        store=Path("model_store"),
        sync_interval=10.0,
        sync_timeout=60.0,
        load_timeout=30.0,
        load_memory=2_147_483_648,
        require_gates=True,
        allow_forced=False,
        host="127.0.0.1",
        port=8000,
        workers=2,
        concurrency=32,
        api_keys_file=None,
        allow_anonymous=False,
        trusted_hosts=(),
        trusted_proxies=(),
        cors_origins=(),
        max_rows=10_000,
        max_body=16_777_216,
        deadline=30.0,
        grace=30,
        pages=True,
    )


def test_every_setting_comes_from_its_variable():
    wanted = Settings(
        model="a",
        stage="staging",
        store=Path("/s"),
        sync_interval=0.5,
        sync_timeout=3.0,
        load_timeout=4.0,
        load_memory=5,
        require_gates=False,
        allow_forced=True,
        host="::1",
        port=9,
        workers=3,
        concurrency=5,
        api_keys_file=Path("/k"),
        allow_anonymous=True,
        trusted_hosts=("a.org", ".b.org"),
        trusted_proxies=("127.0.0.1", "10.0.0.0/8"),
        cors_origins=("https://a.org", "*"),
        max_rows=7,
        max_body=8,
        max_explained=9,
        max_products=10,
        deadline=1.5,
        grace=2,
        pages=False,
    )
    unset = Settings(model="a")
    assert [name for name in Settings.__struct_fields__ if name != "model"] == [
        name for name in Settings.__struct_fields__ if getattr(wanted, name) != getattr(unset, name)
    ]
    assert read_settings(wanted.to_variables()) == wanted
    assert set(wanted.to_variables()) == {
        f"SERVING_{field.upper()}" for field in Settings.__struct_fields__
    }


def test_a_setting_that_is_unset_has_no_variable():
    assert "SERVING_API_KEYS_FILE" not in Settings(model="a").to_variables()
    assert read_settings(Settings(model="a").to_variables()) == Settings(model="a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a.org", ("a.org",)),
        (" a.org , b.org,, ", ("a.org", "b.org")),
    ],
)
def test_a_list_has_commas(text, expected):
    assert read_settings({**MODEL, "SERVING_TRUSTED_HOSTS": text}).trusted_hosts == expected


@pytest.mark.parametrize("text", ["proxy.example.org", "10.0.0.1/8", "10.0.0.1:80"])
def test_a_proxy_is_trusted_by_its_address_or_network(text):
    with pytest.raises(ConfigError, match=rf"^SERVING_TRUSTED_PROXIES: '?{text}"):
        read_settings({**MODEL, "SERVING_TRUSTED_PROXIES": f"127.0.0.1,{text}"})


def test_hosts_and_origins_are_those_that_requests_have():
    settings = read_settings(
        {
            **MODEL,
            "SERVING_TRUSTED_HOSTS": "API.example.org, [::1]",
            "SERVING_CORS_ORIGINS": "HTTP://A.example:80/",
        }
    )
    assert settings.trusted_hosts == ("api.example.org", "::1")
    assert settings.cors_origins == ("http://a.example",)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("SERVING_TRUSTED_HOSTS", "host:8000"), ("SERVING_CORS_ORIGINS", "a.example")],
)
def test_what_no_request_can_match_is_refused(variable, text):
    with pytest.raises(ConfigError, match=rf"^{variable}: `{text}` is no "):
        read_settings({**MODEL, variable: f"{text}"})


LINKS = {
    "SERVING_SERVICE_HOST": "10.0.0.1",
    "SERVING_SERVICE_PORT": "8000",
    "SERVING_SERVICE_PORT_HTTP": "8000",
    "SERVING_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "SERVING_PORT_8000_TCP_PROTO": "tcp",
    "SERVING_PORT_8000_TCP_PORT": "8000",
    "SERVING_PORT_8000_TCP_ADDR": "10.0.0.1",
    "SERVING_CANARY_SERVICE_HOST": "10.0.0.2",
    "SERVING_CANARY_PORT": "tcp://10.0.0.2:80",
    "SERVING_CANARY_PORT_80_TCP_ADDR": "10.0.0.2",
}


def test_variables_of_kubernetes_are_left_alone():
    assert read_settings({**MODEL, **LINKS}) == read_settings(MODEL)
    assert read_settings({**MODEL, **LINKS, "SERVING_PORT": "9000"}).port == 9000


def test_port_of_kubernetes_is_told_with_where_it_comes_from():
    with pytest.raises(ConfigError) as raised:
        read_settings({**MODEL, **LINKS, "SERVING_PORT": "tcp://10.0.0.1:8000"})
    assert str(raised.value) == (
        "SERVING_PORT is `tcp://10.0.0.1:8000`, which Kubernetes sets for a Service called "
        "`serving`: put `enableServiceLinks: false` into the pod's spec, or set the variable to a "
        "port there"
    )


@pytest.mark.parametrize("name", ["SERVING_SERVICE", "SERVING_X_PORT", "SERVING_PORT_8000"])
def test_variable_like_those_of_kubernetes_is_a_typing_error(name):
    with pytest.raises(ConfigError, match=f"^{name}: no such setting"):
        read_settings({**MODEL, name: "8000"})


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("true", True), ("0", False)])
def test_a_switch_is_one_or_zero(text, expected):
    assert read_settings({**MODEL, "SERVING_ALLOW_ANONYMOUS": text}).allow_anonymous is expected


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
        ("SERVING_CONCURRENCY", "1.5", "expected `int`"),
        ("SERVING_CONCURRENCY", "0", "expected `int` >= 1"),
        ("SERVING_SYNC_INTERVAL", "0", "expected `float` > 0.0"),
        ("SERVING_SYNC_INTERVAL", "nan", "expected `float` > 0.0"),
        ("SERVING_DEADLINE", "inf", "expected `float` <= 86400.0"),
        ("SERVING_DEADLINE", "-1", "expected `float` > 0.0"),
        ("SERVING_GRACE", "0.5", "expected `int`"),
        ("SERVING_REQUIRE_GATES", "maybe", "expected `bool`"),
        ("SERVING_PAGES", "", "expected `bool`"),
        ("SERVING_API_KEYS_FILE", "", "expected a path"),
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


def test_a_setting_that_is_gone_is_no_setting():
    with pytest.raises(ConfigError, match="SERVING_THREADS: no such setting"):
        read_settings({**MODEL, "SERVING_THREADS": "4"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_an_address_of_this_machine_alone_needs_no_keys(host):
    check_exposure(Settings(model="a", host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "no such host"])
def test_an_address_that_others_can_reach_needs_keys_or_a_word(host):
    with pytest.raises(ConfigError) as raised:
        check_exposure(Settings(model="a", host=host))
    assert str(raised.value) == (
        f"SERVING_HOST is `{host}`, which others can reach, and there are no keys: "
        "set SERVING_API_KEYS_FILE (python -m serving keys add --help), "
        "or SERVING_ALLOW_ANONYMOUS=1 to let everyone in"
    )
    check_exposure(Settings(model="a", host=host, api_keys_file=Path("keys")))
    check_exposure(Settings(model="a", host=host, allow_anonymous=True))


def test_of_the_registrys_variables_no_secret_is_shown():
    found = registry_variables(
        {
            "MLFLOW_TRACKING_URI": "http://me:secret@host/x",
            "MLFLOW_TRACKING_PASSWORD": "secret",
            "MLFLOW_TRACKING_TOKEN": "secret",
            "MLFLOW_TRACKING_USERNAME": "me",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
    )
    assert found == {
        "MLFLOW_TRACKING_PASSWORD": "***",
        "MLFLOW_TRACKING_TOKEN": "***",
        "MLFLOW_TRACKING_URI": "http://***@host/x",
        "MLFLOW_TRACKING_USERNAME": "me",
    }
