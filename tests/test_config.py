# SPDX-License-Identifier: Apache-2.0
"""Where settings come from, which source weighs most, and what a wrong one is answered with."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest

from doctor_maintenance import config
from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.options import groups, options
from doctor_maintenance.settings import Settings


def read(*words: str, environ: dict[str, str] | None = None, file: Path | None = None) -> Settings:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    config.add_arguments(parser)
    return config.load(
        parser.parse_args(list(words)), files=[str(file)] if file else [], environ=environ or {}
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "maintenance.conf"


def test_without_any_source_the_settings_are_the_defaults_of_the_fields() -> None:
    assert read() == Settings()


def test_command_line_outweighs_environment_outweighs_file_outweighs_default(file: Path) -> None:
    file.write_text("[probe]\nport = 1\nrate_hz = 11\ntimeout_s = 0.1\n")
    environ = {"OS_PROBE__PORT": "2", "OS_PROBE__RATE_HZ": "22"}
    probe = read("--probe-port", "3", environ=environ, file=file).probe
    assert (probe.port, probe.rate_hz, probe.timeout_s, probe.protocol) == (3, 22.0, 0.1, "udp")


def test_a_later_file_outweighs_an_earlier_one(tmp_path: Path) -> None:
    for name, port in (("a", 1), ("b", 2)):
        (tmp_path / name).write_text(f"[ssh]\nport = {port}\n")
    read_both = read("--config-file", str(tmp_path / "a"), "--config-file", str(tmp_path / "b"))
    assert read_both.ssh.port == 2


def test_options_mix_with_the_words_of_a_subcommand() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    config.add_arguments(parser)
    args = parser.parse_intermixed_args(["--ssh-port", "22", "reboot", "--seed=7", "canceled"])
    settings = config.load(args, environ={})
    assert (args.names, settings.ssh.port, settings.seed) == (["reboot", "canceled"], 22, 7)


def test_variables_of_openstack_clients_name_the_cloud() -> None:
    cloud = read(environ={"OS_CLOUD": "lab", "OS_AUTH_URL": "https://keystone.example/v3"}).cloud
    assert (cloud.os_cloud, cloud.auth_url) == ("lab", "https://keystone.example/v3")


def test_variables_of_openstack_clients_do_not_make_the_run_leave_the_embedded_cloud() -> None:
    assert read(environ={"OS_CLOUD": "production"}).cloud.kind == "embedded"


def test_our_own_variable_outweighs_the_one_of_openstack_clients() -> None:
    environ = {"OS_CLOUD": "lab", "OS_CLOUD__OS_CLOUD": "other"}
    assert read(environ=environ).cloud.os_cloud == "other"


def test_lists_come_from_every_source(file: Path) -> None:
    file.write_text(
        "[admin_tool]\nmaintenance_commands = apt update, quietly\n"
        "maintenance_commands = reboot\nonly_if_agreed = p1,p2\n"
    )
    admin_tool = read(file=file).admin_tool
    assert admin_tool.maintenance_commands == ("apt update, quietly", "reboot")
    assert admin_tool.only_if_agreed == ("p1", "p2")
    flag = "--admin-tool-maintenance-commands"
    assert read(flag, "a, b", flag, "c").admin_tool.maintenance_commands == ("a, b", "c")
    environ = {"OS_ADMIN_TOOL__MAINTENANCE_COMMANDS": "a, b"}
    assert read(environ=environ).admin_tool.maintenance_commands == ("a, b",)


def test_a_switch_can_be_turned_off_again_on_the_command_line(file: Path) -> None:
    file.write_text("[ssh]\naccept_unknown = true\n")
    assert read(file=file).ssh.accept_unknown is True
    assert read("--no-ssh-accept-unknown", file=file).ssh.accept_unknown is False


def test_shown_flag_may_be_shorter_and_its_long_form_still_works() -> None:
    def parser() -> argparse.ArgumentParser:
        made = argparse.ArgumentParser(allow_abbrev=False)
        config.add_flag(made, "simulator", "hosts", "--hosts")
        config.add_arguments(made)
        return made

    for flag in ("--hosts", "--simulator-hosts"):
        settings = config.load(parser().parse_args([flag, "5"]), environ={})
        assert settings.simulator.hosts == 5
    assert "How many compute hosts" in parser().format_help()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--simulator-hosts", "0"), "simulator.hosts on the command line is wrong"),
        (("--simulator-hosts", "many"), "simulator.hosts on the command line is wrong"),
        (("--probe-protocol", "sctp"), "probe.protocol on the command line is wrong"),
        (("--probe-rate-hz", "nan"), "probe.rate_hz is wrong: nan is not a finite number"),
        (("--probe-rate-hz", "inf"), "probe.rate_hz on the command line is wrong"),
        (("--seed", "-1"), "seed on the command line is wrong"),
        (("--config-file", "missing.conf"), "missing.conf does not exist; check --config-file"),
    ],
)
def test_wrong_value_on_the_command_line_is_a_usage_error_that_names_it(
    words: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        read(*words)


def test_wrong_value_in_the_environment_is_a_usage_error_that_names_the_variable() -> None:
    with pytest.raises(UsageError, match="environment \\(OS_SSH__PORT\\) is wrong"):
        read(environ={"OS_SSH__PORT": "http"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[ssh]\nport = http\n", "option ssh.port is wrong"),
        ("[ssh]\nprot = 22\n", r"group \[ssh\] has no option prot"),
        ("[shh]\nport = 22\n", r"there is no group \[shh\]; the groups are DEFAULT, cloud"),
        ("port = 22\n", "cannot be read"),
        ("[ssh]\nport\n", "cannot be read"),
        ("\x00\x01", "cannot be read"),
    ],
)
def test_wrong_file_is_a_usage_error_that_names_what_is_wrong(
    file: Path, text: str, says: str
) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        read(file=file)


def test_file_that_is_no_text_is_a_usage_error(file: Path) -> None:
    file.write_bytes(b"[ssh]\nuser = \xff\xfe\n")
    with pytest.raises(UsageError, match="cannot be read"):
        read(file=file)


def test_sample_file_changes_nothing_and_every_line_of_it_can_be_used(file: Path) -> None:
    file.write_text(config.sample())
    assert read(file=file) == Settings()
    lines = config.sample().splitlines()
    used = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in lines
        if "<none>" not in line
    ]
    file.write_text("\n".join(used))
    assert read(file=file) == Settings()


def test_every_option_says_its_meaning_and_every_number_its_range() -> None:
    for option in options(Settings):
        assert option.rule.help.endswith("."), option.label
        if option.kind in {int, float}:
            assert option.rule.low is not None, option.label
        if option.name.endswith("_s"):
            assert "seconds" in option.rule.help, option.label


def test_every_default_is_of_its_options_own_type() -> None:
    for option in options(Settings):
        if option.default is not None:
            assert type(option.default) is option.kind, option.label


def test_no_two_options_have_the_same_flag() -> None:
    flags = [option.flag for option in options(Settings)]
    assert len(flags) == len(set(flags))


def test_oslo_config_generator_gets_every_option() -> None:
    listed = {(group, opt.name) for group, opts in config.oslo_options() for opt in opts}
    assert listed == {(option.group, option.name) for option in options(Settings)}


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    settings = read("--cloud-password", "hunter2", "--admin-tool-transport-url", "rabbit://u:p@h")
    assert settings.cloud.password == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "rabbit" not in repr(settings)


def test_settings_hold_the_oslo_configuration_for_libraries_that_want_it() -> None:
    settings = read("--ssh-port", "2222")
    assert settings.oslo.ssh.port == 2222


def test_settings_can_be_built_without_any_file() -> None:
    changed = dataclasses.replace(Settings(), seed=3)
    assert changed.seed == 3
    assert next(iter(groups(Settings))) == "DEFAULT"
