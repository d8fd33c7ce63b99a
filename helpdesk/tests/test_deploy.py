"""What is written for production holds together, as far as can be seen where no containers run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from helpdesk.health import PARTS

BASE: Path = settings.BASE_DIR
DEPLOY = BASE / "deploy"
COMPOSE = BASE / "compose.yaml"
SETTINGS_EXPLAINED = (BASE / ".env.example").read_text()


def tool(name: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"no {name}: it comes with Debian's package {package}")


def run(*command: str, **options: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    composed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return dict(composed["services"])


def test_every_setting_the_containers_are_given_is_explained(services: dict[str, Any]) -> None:
    ours = [service for service in services.values() if service["image"].startswith("helpdesk:")]
    given = {name.removesuffix("_FILE") for service in ours for name in service["environment"]}

    assert len(ours) == 8
    assert {name for name in given if not re.search(rf"^#? ?{name}=", SETTINGS_EXPLAINED, re.MULTILINE)} == set()


def test_no_container_is_a_developers_machine(services: dict[str, Any]) -> None:
    """Not even where .env.production began as a copy of .env.example, which says DEBUG=1."""
    ours = [service for service in services.values() if service["image"].startswith("helpdesk:")]

    assert {service["environment"]["DEBUG"] for service in ours} == {"0"}


def test_every_command_of_the_containers_is_there(services: dict[str, Any]) -> None:
    commands = [service["command"] for service in services.values() if "command" in service]
    managed = {command[2] for command in commands if command[:2] == ["python", "manage.py"]}

    assert managed == {"runbot", "migrate"}
    assert managed <= set(get_commands())


def test_no_process_is_asked_how_a_web_process_is(services: dict[str, Any]) -> None:
    """The image's own health check asks for pages."""
    asked = {name: service["healthcheck"].get("test", []) for name, service in services.items() if name != "proxy"}

    assert {name for name, test in asked.items() if "8000" in str(test)} == {"web-1", "web-2"}
    for parts in (test[4:] for test in asked.values() if "healthcheck" in test):
        assert set(parts) <= set(PARTS)


def test_the_proxy_reaches_web_processes_by_a_trusted_way_and_by_names_they_know(services: dict[str, Any]) -> None:
    proxy, web = services["proxy"], services["web-1"]

    assert set(proxy["networks"]) & set(web["networks"]) == {"edge"}
    upstreams = {upstream.partition(":")[0] for upstream in proxy["environment"]["UPSTREAMS"].split()}
    assert upstreams == set(web["environment"]["ALLOWED_HOSTS"].split(","))


def test_every_folder_that_is_written_to_outlives_its_container(services: dict[str, Any]) -> None:
    volumes = re.findall(r"^VOLUME (.*)$", (BASE / "Dockerfile").read_text(), re.MULTILINE)[0].split()

    for name in ("web-1", "bot", "jobs-quick", "jobs-long", "jobs-files"):
        assert {volume.partition(":")[2] for volume in services[name]["volumes"]} == set(volumes), name


def test_every_container_writes_little_and_starts_again(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name


@tool("docker-compose", "docker-compose")
def test_compose_finds_nothing_wrong(tmp_path: Path) -> None:
    # Debian's compose is older than the line that names the project.
    text = re.sub(r"^name: .*\n", "", COMPOSE.read_text(), flags=re.MULTILINE)
    (tmp_path / "docker-compose.yml").write_text(text)
    (tmp_path / ".env.production").touch()

    run("docker-compose", "config", "--quiet", cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "SITE": "help.example.com"})


def test_the_image_is_described_well() -> None:
    run(str(Path(sys.executable).parent / "hadolint"), str(BASE / "Dockerfile"))


@tool("caddy", "caddy")
def test_the_proxy_understands_its_orders() -> None:
    run("caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile"))


@tool("systemd-analyze", "systemd")
def test_systemd_understands_its_units(tmp_path: Path) -> None:
    for unit in (*(DEPLOY / "systemd").glob("*.service"), *(DEPLOY / "systemd").glob("*.target")):
        # The programs are not where production has them.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)

    units = [str(unit) for unit in tmp_path.iterdir()]
    run("systemd-analyze", "verify", *units, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"})


def test_every_package_is_listed_with_its_licence() -> None:
    pinned = {line.partition("==")[0] for line in (BASE / "requirements.lock").read_text().splitlines() if "==" in line}
    listed = set(re.findall(r"^\| ([\w.-]+) \|", (BASE / "docs" / "licences.md").read_text(), re.MULTILINE))

    assert pinned - listed == set()
