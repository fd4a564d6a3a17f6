# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from doctor_maintenance.admin_tool.policy import NO_SUCH_SESSION, Act, Context, enforce
from doctor_maintenance.exceptions import ForbiddenError, NotFoundError

OPERATOR = Context("u1", "admin-project", frozenset({"admin", "member"}), 0.0)
MEMBER = Context("u2", "blue", frozenset({"member"}), 0.0)
FOR_OPERATORS = [Act.CREATE, Act.LIST, Act.SHOW, Act.OPERATE, Act.DELETE]
FOR_PROJECTS = [Act.SHOW_PROJECT, Act.REPLY]


@pytest.mark.parametrize("act", FOR_OPERATORS)
def test_an_operator_may_do_what_operators_do(act: Act) -> None:
    enforce(OPERATOR, act)


@pytest.mark.parametrize("act", FOR_OPERATORS)
def test_a_member_may_not_do_what_operators_do(act: Act) -> None:
    with pytest.raises(ForbiddenError, match="needs the role admin"):
        enforce(MEMBER, act)


@pytest.mark.parametrize("act", FOR_PROJECTS)
def test_a_project_may_see_and_answer_for_itself(act: Act) -> None:
    enforce(MEMBER, act, "blue")


@pytest.mark.parametrize("act", FOR_PROJECTS)
@pytest.mark.parametrize("context", [OPERATOR, MEMBER])
def test_another_project_is_answered_as_if_there_were_no_session(
    act: Act, context: Context
) -> None:
    with pytest.raises(NotFoundError, match=NO_SUCH_SESSION):
        enforce(context, act, "red")


def test_a_token_of_no_project_finds_no_session() -> None:
    with pytest.raises(NotFoundError):
        enforce(Context("u3", "", frozenset(), 0.0), Act.REPLY, "")


def test_every_act_has_a_rule() -> None:
    assert set(FOR_OPERATORS) | set(FOR_PROJECTS) == set(Act)
