# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from doctor_maintenance.admin_tool.policy import NO_SUCH_SESSION, Act, Context, Policy, sample
from doctor_maintenance.exceptions import ForbiddenError, NotFoundError, PreconditionError

OPERATOR = Context("u1", "admin-project", frozenset({"admin", "member"}), 0.0)
MEMBER = Context("u2", "blue", frozenset({"member", "reader"}), 0.0)
READER = Context("u4", "blue", frozenset({"reader"}), 0.0)
NOBODY = Context("u3", "", frozenset({"member"}), 0.0)
FOR_OPERATORS = [Act.CREATE, Act.LIST, Act.SHOW, Act.OPERATE, Act.DELETE]
FOR_PROJECTS = [Act.SHOW_PROJECT, Act.REPLY]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy()


def overridden(folder: Path, text: str) -> Policy:
    (folder / "policy.yaml").write_text(text)
    return Policy(str(folder / "policy.yaml"))


@pytest.mark.parametrize("act", FOR_OPERATORS)
def test_an_operator_may_do_what_operators_do(policy: Policy, act: Act) -> None:
    policy.enforce(OPERATOR, act)


@pytest.mark.parametrize("act", FOR_OPERATORS)
@pytest.mark.parametrize("context", [MEMBER, READER, NOBODY])
def test_a_member_may_not_do_what_operators_do(policy: Policy, act: Act, context: Context) -> None:
    with pytest.raises(ForbiddenError, match=f"{act.value} is not allowed"):
        policy.enforce(context, act)


@pytest.mark.parametrize("act", FOR_PROJECTS)
def test_a_project_may_see_and_answer_for_itself(policy: Policy, act: Act) -> None:
    policy.enforce(MEMBER, act, "blue")


def test_who_may_only_read_may_see_and_not_answer(policy: Policy) -> None:
    policy.enforce(READER, Act.SHOW_PROJECT, "blue")
    with pytest.raises(ForbiddenError):
        policy.enforce(READER, Act.REPLY, "blue")


@pytest.mark.parametrize("act", FOR_PROJECTS)
@pytest.mark.parametrize("context", [OPERATOR, MEMBER, READER, NOBODY])
@pytest.mark.parametrize("project_id", ["red", "None", "", "*", "%(project_id)s", "u2", "u3"])
def test_another_project_is_answered_as_if_there_were_no_session(
    policy: Policy, act: Act, context: Context, project_id: str
) -> None:
    with pytest.raises(NotFoundError, match=NO_SUCH_SESSION):
        policy.enforce(context, act, project_id)


def test_every_act_has_a_rule() -> None:
    assert set(FOR_OPERATORS) | set(FOR_PROJECTS) == set(Act)


def test_a_file_overrides_a_rule_and_leaves_the_others(tmp_path: Path) -> None:
    policy = overridden(
        tmp_path, '"maintenance:operator": "role:maintainer"\n"maintenance:list": "role:reader"\n'
    )

    policy.enforce(Context("u", "p", frozenset({"maintainer"}), 0.0), Act.CREATE)
    policy.enforce(READER, Act.LIST)
    policy.enforce(MEMBER, Act.REPLY, "blue")
    with pytest.raises(ForbiddenError):
        policy.enforce(OPERATOR, Act.CREATE)


def test_a_rule_of_ones_own_may_be_used_by_others(tmp_path: Path) -> None:
    policy = overridden(tmp_path, '"boss": "user_id:u4"\n"maintenance:delete": "rule:boss"\n')

    policy.enforce(READER, Act.DELETE)
    with pytest.raises(ForbiddenError):
        policy.enforce(OPERATOR, Act.DELETE)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    overridden(tmp_path, sample()).enforce(OPERATOR, Act.CREATE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"maintenance:creat": "role:admin"', "there is no rule maintenance:creat"),
        ('"maintenance:create": "role:admin or"', "'role:admin or' is no check"),
        ('"maintenance:create": "anybody"', "'anybody' is no check"),
        ('"maintenance:create": "rule:nowhere"', "refers to itself or to one that does not exist"),
        ('"maintenance:operator": "rule:maintenance:create"', "refers to itself"),
        ('"maintenance:create": 1', "expected lines of the form"),
        ("- a list", "expected lines of the form"),
        ('"a": "b', "cannot be read as YAML"),
    ],
)
def test_a_mistake_in_the_file_is_found_at_once(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PreconditionError, match=message):
        overridden(tmp_path, text)


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(PreconditionError, match=r"policy_file /no/such/policy\.yaml"):
        Policy("/no/such/policy.yaml")


def test_the_sample_in_the_documentation_is_the_one_that_is_printed() -> None:
    documented = Path(__file__).parents[2] / "docs" / "policy.sample.yaml"

    license_line, _, text = documented.read_text().partition("\n")

    assert license_line == "# SPDX-License-Identifier: Apache-2.0"
    assert text == sample()


def test_the_sample_tells_every_rule_and_the_requests_that_it_is_for() -> None:
    text = sample()

    for act in Act:
        assert f'#"{act.value}": ' in text
    assert "# PUT /v1/maintenance/{session_id}/{project_id}/{number}" in text
