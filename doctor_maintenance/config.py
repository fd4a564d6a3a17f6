# SPDX-License-Identifier: Apache-2.0
"""Where the settings come from: command line, environment, files, defaults, in this order of weight.

oslo.config reads them, so operators find the files and the ``OS_<GROUP>__<OPTION>`` variables that
they know. Its own command line was refused: its options cannot be mixed with subcommands and their
arguments without guessing which word belongs to which.

A cloud's own variables (``OS_AUTH_URL``, ``OS_CLOUD`` …) weigh as much as the environment does.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.options import DEFAULT_GROUP, Option, describe, groups, options, written
from doctor_maintenance.settings import Settings

PROGRAM = "doctor-maintenance"
_DEST = "option:"


def oslo_options() -> list[tuple[str, list[cfg.Opt]]]:
    """Return every option by group, for oslo.config's sample generator and for documentation."""
    by_group: dict[str, list[cfg.Opt]] = {name: [] for name in groups(Settings)}
    for option in options(Settings):
        by_group[option.group].append(_oslo_option(option))
    return list(by_group.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a parser accept every option (``--admin-tool-port 5000``), and the files to read.

    A flag that the parser has already keeps the parser's meaning.

    Args:
        parser: the parser of a subcommand.
    """
    group = parser.add_argument_group(
        "configuration",
        "Every option of the configuration is accepted as well, as --GROUP-NAME VALUE (--seed 7, "
        f"--admin-tool-port 5000); `{PROGRAM} config` lists them.",
    )
    group.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="read options from FILE; may be repeated, later files weigh more",
    )
    for option in options(Settings):
        if option.flag not in parser._option_string_actions:
            _add_flag(group, option, option.flag, hidden=True)


def add_flag(
    parser: argparse.ArgumentParser, group: str, name: str, flag: str | None = None
) -> None:
    """Show one option in a subcommand's own help, perhaps under a shorter name.

    Args:
        parser: the parser of the subcommand.
        group: the option's group, or ``DEFAULT``.
        name: the option's name.
        flag: how it is written on this command line, such as ``--hosts``; default: its usual flag.
    """
    found = [each for each in options(Settings) if (each.group, each.name) == (group, name)]
    if not found:
        raise LookupError(f"there is no option {name} in group {group}")
    _add_flag(parser, found[0], flag or found[0].flag, hidden=False)


def load(
    args: argparse.Namespace | None = None,
    files: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        args: what a parser prepared by :func:`add_arguments` made of the command line.
        files: further files, read before those of the command line.
        environ: the environment; default: the process's own.

    Returns:
        The settings, every value checked.

    Raises:
        UsageError: a file is missing or malformed, an option is unknown to its group in a file, or a
            value is not of its type or range; the message names the option and the place.
    """
    given = vars(args) if args is not None else {}
    paths = [*files, *given.get("config_file", [])]
    for path in paths:
        if not Path(path).is_file():
            raise UsageError(f"the configuration file {path} does not exist; check --config-file")
    variables = os.environ if environ is None else environ
    conf = cfg.ConfigOpts()
    for group, members in oslo_options():
        conf.register_opts(members, group=_oslo_group(group))
    try:
        conf([], project=PROGRAM, default_config_files=paths, default_config_dirs=[], use_env=False)
    except (cfg.Error, ValueError) as error:
        raise UsageError(f"the configuration cannot be read: {error}") from error
    _check_names(conf, paths)
    for option in options(Settings):
        _apply(conf, option, given, variables)
    return _settings(conf)


def sample() -> str:
    """Return a configuration file with every option, its meaning, range and default, commented out."""
    lines: list[str] = []
    for group, owner in groups(Settings).items():
        summary = (owner.__doc__ or "").split("\n", 1)[0]
        lines += [
            f"[{group}]",
            f"# {summary}" if group != DEFAULT_GROUP else "# Common options.",
            "",
        ]
        for option in options(Settings):
            if option.group == group:
                lines += [f"# {line}" for line in describe(option)]
                lines += [f"#{option.name} = {value}" for value in written(option)] + [""]
    return "\n".join(lines)


def _oslo_option(option: Option) -> cfg.Opt:
    rule = option.rule
    common: dict[str, Any] = {
        "help": rule.help,
        "default": option.default,
        "secret": rule.secret,
    }
    if option.kind is bool:
        return cfg.BoolOpt(option.name, **common)
    if option.kind is int:
        low, high = (None if each is None else int(each) for each in (rule.low, rule.high))
        return cfg.IntOpt(option.name, min=low, max=high, **common)
    if option.kind is float:
        return cfg.FloatOpt(option.name, min=rule.low, max=rule.high, **common)
    if option.kind is tuple:
        common["default"] = list(option.default)
        kind = cfg.MultiStrOpt if rule.repeat else cfg.ListOpt
        return kind(option.name, **common)
    return cfg.StrOpt(option.name, choices=rule.choices or None, **common)


def _add_flag(
    parser: argparse._ActionsContainer, option: Option, flag: str, *, hidden: bool
) -> None:
    text = " ".join(describe(option)).replace("%", "%%")
    if option.default not in (None, ()):
        text += f" Default: {', '.join(written(option))}."
    keywords: dict[str, Any] = {
        "dest": _DEST + option.label,
        "default": argparse.SUPPRESS,
        "help": argparse.SUPPRESS if hidden else text,
    }
    if option.kind is bool:
        keywords["action"] = argparse.BooleanOptionalAction
    else:
        keywords["metavar"] = option.name.rpartition("_")[2].upper() or "VALUE"
        keywords["action"] = "append" if option.rule.repeat else "store"
    parser.add_argument(flag, **keywords)


def _apply(
    conf: cfg.ConfigOpts, option: Option, given: Mapping[str, Any], environ: Mapping[str, str]
) -> None:
    """Set what outweighs the files: the command line, else the environment."""
    own = f"OS_{option.group}__{option.name}".upper()
    foreign = option.rule.env
    if _DEST + option.label in given:
        value, place = given[_DEST + option.label], "on the command line"
    elif own in environ:
        value, place = environ[own], f"in the environment ({own})"
    elif foreign is not None and environ.get(foreign):
        value, place = environ[foreign], f"in the environment ({foreign})"
    else:
        return
    if option.rule.repeat and isinstance(value, str):
        value = [value]
    try:
        conf.set_override(option.name, value, group=_oslo_group(option.group))
    except ValueError as error:
        raise UsageError(f"option {option.label} {place} is wrong: {error}") from error


def _check_names(conf: cfg.ConfigOpts, paths: Sequence[str]) -> None:
    """Refuse what a file sets and nobody reads: most often a misspelt option."""
    known: dict[str, set[str]] = {}
    for option in options(Settings):
        known.setdefault(option.group, set()).add(option.name)
    for path in paths:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        for section, values in sections.items():
            if section not in known:
                raise UsageError(
                    f"{path}: there is no group [{section}]; the groups are {', '.join(known)}"
                )
            unknown = sorted(set(values) - known[section])
            if unknown:
                raise UsageError(
                    f"{path}: group [{section}] has no option {unknown[0]}; "
                    f"`{PROGRAM} config` lists the options"
                )


def _oslo_group(name: str) -> str | None:
    return None if name == DEFAULT_GROUP else name


def _settings(conf: cfg.ConfigOpts) -> Settings:
    values: dict[str, dict[str, Any]] = {name: {} for name in groups(Settings)}
    for option in options(Settings):
        view = conf if option.group == DEFAULT_GROUP else conf[option.group]
        try:
            value = view[option.name]
        except (cfg.ConfigFileValueError, cfg.Error, ValueError) as error:
            raise UsageError(f"option {option.label} is wrong: {error}") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"option {option.label} is wrong: {value} is not a finite number")
        values[option.group][option.name] = tuple(value) if option.kind is tuple else value
    common = values.pop(DEFAULT_GROUP)
    owners = groups(Settings)
    parts = {name: owners[name](**members) for name, members in values.items()}
    return Settings(**common, **parts, oslo=conf)
