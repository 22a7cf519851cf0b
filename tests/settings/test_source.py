"""Files that are wrong: every message names file and line, and says what was expected; nothing else is ever raised."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.config import Config, load_config
from settings.errors import ConfigError
from settings.source import load_yaml

GOOD = """\
data_dir: data
listen:
  - 127.0.0.1:2055
exporters:
  - {prefix: 192.0.2.1/32, name: edge-1}
tenants: tenants.csv
retention: retention.yaml
storage:
  mode: embedded
"""


def load(directory: Path, text: str | bytes, **environ: str) -> Config:
    path = directory / "flowkeep.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path, environ)


def refusal(directory: Path, text: str | bytes, **environ: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(directory, text, **environ)
    return str(refused.value).replace(f"{directory / 'flowkeep.yaml'}:", "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("listen:", "lissten:", "1: the key 'listen' is missing\n2: unknown key 'lissten'; did you mean 'listen'?"),
        ("mode: embedded", "mode: embeded", "9: storage.mode: expected 'embedded' or 'server', not 'embeded'"),
        ("  mode: embedded", "  memory_limit: 1GiB", "8: the key 'mode' is missing in 'storage'"),
        ("embedded", "embedded\n  memory: 1GiB", "10: unknown key 'memory'; did you mean 'memory_limit'?"),
        ("embedded", "embedded\n  memory_limit: 2 gigs", "10: storage.memory_limit: expected a size such as"),
        ("embedded", "embedded\n  memory_limit: yes", "10: storage.memory_limit: expected a size such as"),
        ("embedded", "embedded\n  http_port: 70000", "10: storage.http_port: expected at most 65535"),
        ("name: edge-1", "nam: edge-1", "5: the key 'name' is missing in 'exporters.0'\n5: unknown key 'nam'; did"),
        ("name: edge-1", "name: edge 1", "5: exporters.0.name: expected a name of letters"),
        ("edge-1}", "edge-1, sampling_rate: 1:50}", "5: exporters.0.sampling_rate: expected a whole number"),
        ("192.0.2.1/32", "192.0.2.1/24", "5: exporters.0.prefix: not a prefix: 192.0.2.1/24 has host bits set"),
        ("data_dir: data", "data_dir:", "1: data_dir: has no value"),
        ("data_dir: data", 'data_dir: ""', "1: data_dir: expected a path"),
        ("data_dir: data", 'data_dir: "a\\0b"', "1: data_dir: expected a path"),
        ("data_dir: data", "data_dir: [a]", "1: data_dir: input is not a valid path"),
        ("\n  - 127.0.0.1:2055", " 127.0.0.1:2055", "2: listen: expected a list"),
        ("127.0.0.1:2055", "127.0.0.1:99999", "3: listen.0: expected ADDRESS:PORT"),
        ("127.0.0.1:2055", "'::1:2055'", "3: listen.0: expected ADDRESS:PORT"),
        ("127.0.0.1:2055", "localhost:2055", "3: listen.0: 'localhost' is not an IP address"),
        ("127.0.0.1:2055", "127.0.0.1:2055\n  - 127.0.0.1:2055", "2: listen: 127.0.0.1:2055 is given twice"),
        ("tenants:", "listen: []\ntenants:", "6: 'listen' is given twice (first in line 2)"),
        ("tenants:", "[a]: b\ntenants:", "6: a list or a mapping cannot be a key"),
        ("  mode", "\tmode", "9: not valid YAML: found character '\\t' that cannot start any token"),
        ("data_dir: data", 'data_dir: "data', "while scanning a quoted scalar that begins in line 1"),
        ("data_dir: data", "data_dir: \0", "1: not valid YAML: the character U+0000"),
        ("data_dir: data", "data_dir: !!int data", "1: not valid YAML: no int"),
        ("data_dir: data", "data_dir: !!bool data", "1: not valid YAML: no bool"),
        ("data_dir: data", "data_dir: &a [*a]", "nested too deeply"),
        ("data_dir: data", "data_dir: " + "[" * 5000, "nested too deeply"),
        ("edge-1}", "${NAME}}", "5: not valid YAML: expected ',' or '}', but got '{'"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert message in refusal(tmp_path, GOOD.replace(old, new, 1))


def test_keys_of_the_other_storage_are_unknown(tmp_path: Path) -> None:
    text = GOOD.replace("mode: embedded", "mode: server\n  url: http://ch:8123\n  memory_limit: 1GiB")
    assert refusal(tmp_path, text) == (
        "8: the key 'passwords' is missing in 'storage'\n"
        "11: unknown key 'memory_limit'; known here: mode, url, database, passwords"
    )


def test_what_is_no_text_or_no_mapping(tmp_path: Path) -> None:
    for text in ("", "# nothing\n", "- a\n", "word\n"):
        assert refusal(tmp_path, text).startswith("1: expected keys and values")
    assert refusal(tmp_path, GOOD.replace("edge-1", "édge").encode("latin-1")).startswith("5: is not UTF-8 text")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path, {})
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "nowhere.yaml", {})


@pytest.mark.parametrize("text", [GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD, GOOD.rstrip()])
def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path: Path, text: str) -> None:
    config = load(tmp_path, text)
    assert (config.data_dir, config.listen) == (tmp_path / "data", ["127.0.0.1:2055"])


def test_variables_come_from_the_environment(tmp_path: Path) -> None:
    text = GOOD.replace("data_dir: data", "data_dir: ${BASE}/x${SUFFIX:-y}").replace("edge-1", '"${NAME}"')
    config = load(tmp_path, text, BASE="/srv", NAME="edge-9")
    assert (str(config.data_dir), config.exporters[0].name) == ("/srv/xy", "edge-9")
    assert refusal(tmp_path, text, NAME="a").startswith("1: the environment variable BASE is not set; export it")
    assert refusal(tmp_path, text, NAME="a", BASE="").startswith("1: the environment variable BASE is empty")


def test_a_variable_of_digits_is_a_password_and_a_number(tmp_path: Path) -> None:
    passwords = "passwords: {admin: '${P}', ingest: a, query: b, retention: c}"
    text = GOOD.replace("mode: embedded", f"mode: server\n  url: http://ch:8123\n  {passwords}")
    storage = load(tmp_path, text.replace("edge-1}", "edge-1, sampling_rate: '${RATE}'}"), P="0123", RATE="64").storage
    assert storage.mode == "server"
    assert storage.passwords.admin == "0123"


@given(st.text() | st.text("[]{}:-&*!#'\"\n \t,<>?|%@ab1~$").map(lambda tail: GOOD + tail) | st.binary())
def test_any_text_is_a_configuration_or_a_message(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    with suppress(ConfigError):
        assert isinstance(load_yaml(path, Config, {}), Config)
