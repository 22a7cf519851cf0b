"""deploy/compose.yaml is accepted by docker-compose and says what its comments promise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.config import Passwords, Server, load_config
from storage.users import ROLES
from tests.deploy.conftest import in_environment
from tests.deploy.programs import DEPLOY, ROOT, run

COMPOSE = DEPLOY / "compose.yaml"
PASSWORDS = in_environment(Passwords(**{role: f"{role}-secret" for role in ROLES}))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services as docker-compose understands them."""
    done = run("docker-compose", "-f", COMPOSE, "config", env=os.environ | PASSWORDS)
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return services


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in service["volumes"]:
        source, target, _ = volume.split(":")
        yield source, target


def test_it_is_refused_without_passwords_and_says_where_they_belong() -> None:
    done = run("docker-compose", "-f", COMPOSE, "--env-file", DEPLOY / ".env.example", "config")
    assert done.returncode != 0
    assert "deploy/.env" in done.stderr


def test_the_example_environment_names_every_password() -> None:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    assert {line.partition("=")[0] for line in lines if line and not line.startswith("#")} == set(PASSWORDS)


def test_every_mounted_file_is_there(services: dict[str, Any]) -> None:
    sources = [source for service in services.values() for source, _ in mounts(service)]
    paths = [Path(source) for source in sources if source.startswith("/")]
    assert len(paths) >= 6
    assert [path for path in paths if not path.exists()] == []


@pytest.mark.parametrize("name", ["clickhouse", "flowkeep", "purge", "prometheus"])
def test_a_service_has_no_capabilities_and_gains_none(services: dict[str, Any], name: str) -> None:
    assert services[name]["cap_drop"] == ["ALL"]
    assert services[name]["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in services[name]
    assert name == "clickhouse" or services[name]["read_only"] is True


def test_the_collector_sees_exporters_by_their_own_address(services: dict[str, Any]) -> None:
    assert services["flowkeep"]["network_mode"] == "host"


def test_clickhouse_is_published_on_loopback_only(services: dict[str, Any]) -> None:
    assert services["clickhouse"]["ports"] == ["127.0.0.1:8123:8123/tcp"]


@pytest.mark.parametrize("name", ["flowkeep", "purge"])
def test_the_configuration_in_the_container_is_valid(services: dict[str, Any], name: str, tmp_path: Path) -> None:
    for source, target in mounts(services[name]):  # as the container sees it, the later mount over the earlier
        if target.startswith("/etc/flowkeep"):
            files = [Path(source)] if Path(source).is_file() else list(Path(source).iterdir())
            for file in files:
                (tmp_path / file.name).write_text(file.read_text())
    config = load_config(tmp_path / "flowkeep.yaml", services[name]["environment"])
    assert isinstance(config.storage, Server)
    assert in_environment(config.storage.passwords) == PASSWORDS
    assert config.tenants.exists()
    assert config.retention.exists()
    assert str(config.data_dir) in dict(map(reversed, mounts(services["flowkeep"])))


def test_health_is_asked_where_the_configuration_has_it(services: dict[str, Any]) -> None:
    metrics = load_config(DEPLOY / "flowkeep.yaml", PASSWORDS).metrics
    assert f"http://{metrics}/readyz" in services["flowkeep"]["healthcheck"]["test"][-1]
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": [metrics]}]


def test_the_image_is_built_from_the_repository(services: dict[str, Any]) -> None:
    build = services["flowkeep"]["build"]
    assert Path(build["context"]) == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
